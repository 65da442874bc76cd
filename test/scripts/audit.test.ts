// What becomes of the registry's answer about known faults.
import t from 'tap'
import { judgeAudit } from '../../scripts/audit.ts'

void t.test('faults fail, with what they are in; none pass; no answer passes and says so', async (test) => {
  const fault = { name: 'undici', severity: 'high', range: '<7.30.1', via: [], nodes: [] }
  test.strictSame(judgeAudit(JSON.stringify({ auditReportVersion: 2, vulnerabilities: { undici: fault } })), { passed: false, lines: ['high: undici <7.30.1'] })
  test.match(judgeAudit(JSON.stringify({ auditReportVersion: 2, vulnerabilities: {} })), { passed: true, lines: [/no known faults/] })
  test.match(judgeAudit(JSON.stringify({ message: '405 Method Not Allowed', error: { summary: '' } })), { passed: true, lines: ['the registry gave no audit: 405 Method Not Allowed'] })
  test.match(judgeAudit(''), { passed: true, lines: [/no answer/] })
  test.match(judgeAudit('<html>'), { passed: true, lines: [/no answer/] })
})
