// How long before a worker is started again.
import t from 'tap'
import { Pauses } from '../../src/process/restart-delays.ts'

void t.test('twice as long each time, up to ten seconds, and from the beginning after a quiet minute', async (test) => {
  const pauses = new Pauses()
  test.strictSame([500, 500, 500, 500, 500, 500, 500, 500, 500].map((quiet) => pauses.after(quiet)), [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
  test.equal(pauses.after(60_000), 10_000)
  test.strictSame([pauses.after(60_001), pauses.after(1)], [100, 200])
})
