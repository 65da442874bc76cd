// What `npm run scan` makes of the scanners' findings; the scan itself is in test/ops.
import t from 'tap'
import { sslscanFindings, verdictOf } from '../../scripts/scan/findings.ts'

const finding = (severity: string, id: string, text = ''): { id: string; severity: string; finding: string } => ({ severity, id, finding: text })

void t.test('worse than OK is bad, unless a reason is written down', async (test) => {
  const { bad, explained, grade, count } = verdictOf([
    finding('OK', 'TLS1_2', 'offered'), finding('INFO', 'x'), finding('HIGH', 'cert_revocation <hostCert#1>'), finding('LOW', 'HSTS', 'not offered'), finding('WARN', 'sessionresumption_ticket', 'something else'),
    finding('WARN', 'sessionresumption_ticket', 'check failed because of connect problem'), finding('CRITICAL', 'heartbleed'), finding('OK', 'overall_grade', 'A+'),
  ])
  test.strictSame(bad.map(({ id }) => id), ['HSTS', 'sessionresumption_ticket', 'heartbleed'])
  test.strictSame(explained.map(({ id }) => id), ['cert_revocation <hostCert#1>', 'sessionresumption_ticket'])
  for (const { why } of explained) test.ok(why.length > 10)
  test.equal(grade, 'A+')
  test.equal(count, 8)
  test.equal(verdictOf([]).grade, undefined)
})

const XML = `<document><ssltest host="127.0.0.1"><protocol type="ssl" version="2" enabled="0" /><protocol type="tls" version="1.0" enabled="0" /><protocol type="tls" version="1.2" enabled="1" /><protocol type="tls" version="1.3" enabled="1" />
<fallback supported="1" /><renegotiation supported="0" secure="0" /><compression supported="0" /><heartbleed sslversion="TLSv1.2" vulnerable="0" />
<cipher status="preferred" sslversion="TLSv1.3" bits="128" cipher="TLS_AES_128_GCM_SHA256" id="0x1301" strength="strong" curve="25519" /><signature-algorithm>ecdsa-with-SHA256</signature-algorithm></ssltest></document>`

void t.test('sslscan: what must not be there, and what must', async (test) => {
  test.strictSame(sslscanFindings(XML), [finding('OK', 'sslscan_cipher', 'TLS_AES_128_GCM_SHA256')])
  const rows: [from: string | RegExp, to: string, id: string][] = [
    ['type="ssl" version="2" enabled="0"', 'type="ssl" version="2" enabled="1"', 'sslscan_protocol'], ['version="1.0" enabled="0"', 'version="1.0" enabled="1"', 'sslscan_protocol'], ['version="1.3" enabled="1"', 'version="1.3" enabled="0"', 'sslscan_protocol'],
    ['<fallback supported="1"', '<fallback supported="0"', 'sslscan_fallback'], ['<renegotiation supported="0"', '<renegotiation supported="1"', 'sslscan_renegotiation'], ['<compression supported="0"', '<compression supported="1"', 'sslscan_compression'],
    ['vulnerable="0"', 'vulnerable="1"', 'sslscan_heartbleed'], ['strength="strong"', 'strength="weak"', 'sslscan_cipher'], ['ecdsa-with-SHA256', 'sha1WithRSAEncryption', 'sslscan_signature'],
  ]
  for (const [from, to, id] of rows) test.match(verdictOf(sslscanFindings(XML.replace(from, to))).bad, [{ id }], to)
})
