// When the end of a certificate is told: from 30 days before on, once a day, at the end, and anew after a reload.
import t from 'tap'
import { DAY_MS, EndsToTell, type CertificateInUse } from '../../src/admin/certificates.ts'

const END = Date.parse('2027-01-31T12:00:00Z')
const ours: CertificateInUse = { name: 'tls.certificates[0]', use: 'server', validUntil: END }
const list: CertificateInUse = { name: 'tls.clients.crl[0]', use: 'crl', validUntil: END }
const daysBefore = (days: number): number => END - days * DAY_MS

void t.test('from 30 days before the end, once for each day, and when it has come', async (test) => {
  const ends = new EndsToTell()
  const told = (now: number): number[] => ends.due([ours], now).map(({ daysLeft }) => daysLeft)
  test.strictSame(told(daysBefore(31)), [])
  test.strictSame(told(daysBefore(30)), [30])
  test.strictSame(told(daysBefore(30) + 10_000), [29])
  test.strictSame(told(daysBefore(29.5)), [], 'not twice a day')
  for (const days of [28, 7, 1, 0]) {
    test.strictSame(told(daysBefore(days)), [days])
    test.strictSame(told(daysBefore(days)), [])
  }
  test.strictSame(told(END + 1), [-1], 'it has passed')
  test.strictSame(told(END + DAY_MS / 2), [])
  test.strictSame(told(END + DAY_MS + 1), [-2], 'and goes on being told')
})

void t.test('another configuration tells anew; another certificate in its place is another', async (test) => {
  const ends = new EndsToTell()
  test.equal(ends.due([ours], daysBefore(3)).length, 1)
  test.equal(ends.due([{ ...ours, validUntil: END + 1000 }], daysBefore(3)).length, 1)
  test.equal(ends.due([ours], daysBefore(3)).length, 0)
  ends.startOver()
  test.equal(ends.due([ours], daysBefore(3)).length, 1)
})

void t.test('a list of revocation, which lasts days or hours: only its end', async (test) => {
  const ends = new EndsToTell()
  test.strictSame(ends.due([list], daysBefore(1)), [])
  test.match(ends.due([list], END + 1), [{ use: 'crl', daysLeft: -1 }])
})
