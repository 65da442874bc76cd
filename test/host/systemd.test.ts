// When signs of life are asked of this process, and how often; test/ops/systemd.test.ts has the rest.
import t from 'tap'
import { watchdogPause } from '../../src/host/systemd.ts'

void t.test('half the watchdog\'s time, in ms', async (test) => {
  test.equal(watchdogPause({ WATCHDOG_USEC: '30000000' }, 7), 15_000)
  test.equal(watchdogPause({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7), 15_000)
  test.equal(watchdogPause({ WATCHDOG_USEC: '1' }, 7), 1, 'never all the time')
})

void t.test('none where none is asked, or of another process, or what is asked is no time', async (test) => {
  for (const environment of [{}, { WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, { WATCHDOG_USEC: '' }, { WATCHDOG_USEC: '0' }, { WATCHDOG_USEC: '-5' }, { WATCHDOG_USEC: '1e400' }, { WATCHDOG_USEC: 'soon' }]) {
    test.equal(watchdogPause(environment, 7), undefined, JSON.stringify(environment))
  }
})
