// The new query keeps every byte that it may (spec/sas.md 8).
import t from 'tap'
import { readQuery } from '../../src/sas/query.ts'
import { rewriteQuery } from '../../src/sas/tighten.ts'

const ROWS: readonly (readonly [what: string, query: string, sip: string | undefined, expected: string])[] = [
  ['no spr: right before sig', 'sv=1&sig=old&comp=x', undefined, 'sv=1&spr=https&sig=a%2Bb%2Fc%3D&comp=x'],
  ['spr in its place', 'spr=https%2Chttp&sv=1&sig=old', undefined, 'spr=https&sv=1&sig=a%2Bb%2Fc%3D'],
  ['spr after sig', 'sig=old&spr=', undefined, 'sig=a%2Bb%2Fc%3D&spr=https'],
  ['sig first', 'sig=old', undefined, 'spr=https&sig=a%2Bb%2Fc%3D'],
  ['bytes kept', 'st=2026%2d11&rscd=a+b%20c&x=%zz;y&sig=old', undefined, 'st=2026%2d11&rscd=a+b%20c&x=%zz;y&spr=https&sig=a%2Bb%2Fc%3D'],
  ['no value and no equals sign', 'comp&sv&sig=old&=&x==1', undefined, 'comp&sv&spr=https&sig=a%2Bb%2Fc%3D&=&x==1'],
  ['empty parts between SAS parameters go', 'sv=1&&&sp=r&&sig=old', undefined, 'sv=1&sp=r&spr=https&sig=a%2Bb%2Fc%3D'],
  ['other empty parts stay', '&comp=x&&restype=y&&sv=1&sig=old&&', undefined, '&comp=x&&restype=y&&sv=1&spr=https&sig=a%2Bb%2Fc%3D&&'],
  ['an encoded name is written plainly', '%73v=1&comp%41=x&si%67=old&s%70', undefined, 'sv=1&comp%41=x&spr=https&sig=a%2Bb%2Fc%3D&sp'],
  ['sip removed', 'sip=1.2.3.4&sv=1&sig=old', undefined, 'sv=1&spr=https&sig=a%2Bb%2Fc%3D'],
  ['sip kept', 'sip=1.2.3.4%2d1.2.3.5&sv=1&sig=old', '1.2.3.4-1.2.3.5', 'sip=1.2.3.4%2d1.2.3.5&sv=1&spr=https&sig=a%2Bb%2Fc%3D'],
  ['sip replaced', 'sv=1&sip=1.2.3.4&sig=old', '9.9.9.9', 'sv=1&sip=9.9.9.9&spr=https&sig=a%2Bb%2Fc%3D'],
]

for (const [what, query, sip, expected] of ROWS) {
  void t.test(what, async (test) => {
    test.equal(rewriteQuery(readQuery(query), sip, 'a+b/c='), expected)
  })
}

void t.test('a query of nothing but ampersands costs no more than its length', async (test) => {
  const query = `${'&'.repeat(8000)}sig=x${'&'.repeat(8000)}`
  test.equal(rewriteQuery(readQuery(query), undefined, 'x'), query.replace('sig=x', 'spr=https&sig=x'))
})
