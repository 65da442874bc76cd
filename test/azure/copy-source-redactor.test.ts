// The signatures of copy sources in a listing: hidden wherever a piece ends, with every length and all else kept (security.md F6).
import t from 'tap'
import { CopySourceRedactor } from '../../src/azure/copy-source-redactor.ts'
import { isSignatureName } from '../../src/sas/admission.ts'

const redacted = (pieces: readonly string[]): string => {
  const redactor = new CopySourceRedactor(isSignatureName)
  return pieces.map((piece) => redactor.write(Buffer.from(piece, 'latin1')).toString('latin1')).join('')
}

const ROWS: readonly (readonly [text: string, shown: string])[] = [
  ['<CopySource>https://a/b?sv=1&amp;sig=abc%3D&amp;se=2</CopySource>', '<CopySource>https://a/b?sv=1&amp;sig=XXXXXX&amp;se=2</CopySource>'],
  ['<CopySource>https://a/b?sig=abc</CopySource>', '<CopySource>https://a/b?sig=XXX</CopySource>'],
  ['<CopySource>https://a/b?SIG=abc&#38;s%69g=de&#x26;%53%49%47=f&sig=g</CopySource>', '<CopySource>https://a/b?SIG=XXX&#38;s%69g=XX&#x26;%53%49%47=X&sig=X</CopySource>'],
  ['<CopySource>https://a/b?sig=abc#f</CopySource>', '<CopySource>https://a/b?sig=XXX#f</CopySource>'],
  ['<CopySource>https://a/b?sig=a=b/c+d?e</CopySource>', '<CopySource>https://a/b?sig=XXXXXXXXX</CopySource>'],
  ['<CopySource a="?sig=1">https://a/b?sig=abc</CopySource >', '<CopySource a="?sig=1">https://a/b?sig=XXX</CopySource >'],
  ['<<CopySource>?sig=ab<b>?sig=c</CopySource>', '<<CopySource>?sig=XX<b>?sig=c</CopySource>'],
  ['<CopySource>?%2573ig=a&amp;sig+=b</CopySource>', '<CopySource>?%2573ig=X&amp;sig+=X</CopySource>'],
  ['<CopySource></CopySource><Name>?sig=abc</Name>', '<CopySource></CopySource><Name>?sig=abc</Name>'],
  ['<CopySource/>?sig=abc', '<CopySource/>?sig=abc'],
  ['<CopySourceStatus>?sig=abc</CopySourceStatus>', '<CopySourceStatus>?sig=abc</CopySourceStatus>'],
  ['<copysource>?sig=abc</copysource>', '<copysource>?sig=abc</copysource>'],
  ['<CopySource>https://a/sig=b?xsig=c&amp;signature=d&amp;sig</CopySource>', '<CopySource>https://a/sig=b?xsig=c&amp;signature=d&amp;sig</CopySource>'],
  [`<CopySource>?${'x'.repeat(200)}sig=abc&amp;sig=d</CopySource>`, `<CopySource>?${'x'.repeat(200)}sig=abc&amp;sig=X</CopySource>`],
  ['', ''],
]
const WHOLE = ROWS.map(([text]) => text).join('<Blob>')
const SHOWN = ROWS.map(([, shown]) => shown).join('<Blob>')

void t.test('each value of a signature becomes as many X, and nothing else changes', async (test) => {
  for (const [text, shown] of ROWS) test.equal(redacted([text]), shown)
})

void t.test('wherever the pieces end', async (test) => {
  const borders = Array.from({ length: WHOLE.length }, (_, at) => at)
  test.strictSame(borders.filter((at) => redacted([WHOLE.slice(0, at), WHOLE.slice(at)]) !== SHOWN), [])
  test.equal(redacted(WHOLE.split('')), SHOWN, 'one byte at a time')
  test.equal(redacted(WHOLE.split(/(?<=[=&<])/)), SHOWN)
})

void t.test('a piece in which nothing is hidden is passed on as it is, and none is changed in place', async (test) => {
  const redactor = new CopySourceRedactor(isSignatureName)
  const [plain, secret] = [Buffer.from('<Blobs><CopySource>https://a?s'), Buffer.from('ig=abc</CopySource>')]
  test.equal(redactor.write(plain), plain)
  test.equal(redactor.write(secret).toString(), 'ig=XXX</CopySource>')
  test.equal(secret.toString(), 'ig=abc</CopySource>')
})
