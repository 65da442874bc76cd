// The host's clock steps by an hour, forward and back: tokens are judged by what it says now, while durations and timeouts go
// on by the monotonic clock.
import t from 'tap'
import { issue } from '../sas/second.ts'
import { startGate } from '../support/gate.ts'
import { ACCOUNT, createRealm } from '../support/realm.ts'
import { askOnce, dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { ok, startUpstream, type Turn } from '../support/upstream.ts'

const HOUR = 3_600_000
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)

// Whoever asks for the time in this process is told this one: the gate, its libraries and this test alike.
const real = Date.now.bind(Date)
let step = 0
Date.now = () => real() + step
t.teardown(() => (Date.now = real))

const at = (offset: number): string => `${new Date(real() + offset).toISOString().slice(0, 19)}Z`

/** A token that is good from half an hour ago until in half an hour, by the clock as it was at first. */
function target(): string {
  const params = Object.entries({ sv: '2021-12-02', sr: 'b', sp: 'r', st: at(-HOUR / 2), se: at(HOUR / 2) })
  return `/c/b?${issue({ service: 'blob', account: ACCOUNT, path: '/c/b', params }, Buffer.from(realm.key1, 'base64'))}`
}

for (const [how, by, reason] of [['forward', HOUR, 'sas-expired'], ['back', -HOUR, 'sas-not-yet']] as const) {
  void t.test(`an hour ${how}`, async (test) => {
    step = 0
    const gate = await startGate(test, realm, { storage: { blob: upstream.port }, limits: { idleTimeout: '1m', headersTimeout: '30s' } })
    const token = target()
    upstream.script(ok)
    const idle = await dial(test, gate)
    test.equal((await idle.ask(`GET ${token}`)).status, 200, 'before')
    const [half, silent] = [await dial(test, gate), await dial(test, gate)]
    half.expect('GET /')
    await half.send('GET /half HTTP/1.1\r\n')
    let held: Turn | undefined
    upstream.script((turn) => void (held = turn))
    const slow = idle.ask('GET /slow')
    await until(() => held !== undefined, 'a request under way')

    step = by
    upstream.script(ok)
    test.equal((await askOnce(test, gate, `GET ${token}`)).header('x-tidegate-reason'), reason, 'judged by what the clock says now')
    await held?.reply(200, [], 'slow')
    test.equal((await slow).text, 'slow', 'what was under way')
    await half.send('Host: tideoffice.blob.localhost\r\n\r\n')
    test.equal((await half.reply()).status, 200, 'half a head is not late')
    test.equal((await silent.ask('GET /silent')).status, 200, 'an idle connection is not too old')
    test.equal((await idle.ask('GET /kept')).status, 200, 'nor are kept ones, here and upstream')
    step = 0
    test.equal((await idle.ask(`GET ${token}`)).status, 200, 'and the token is good again')

    const requests = await gate.requests(7)
    for (const line of requests) {
      for (const key of ['ms', 'gatewayMs', 'upstreamMs']) {
        const value = Number(line[key] ?? 0)
        test.ok(value >= 0 && value < 60_000, `${key} ${value}`)
      }
    }
    for (const name of ['request_duration_seconds_sum', 'gateway_duration_seconds_sum', 'tls_handshake_duration_seconds_sum', 'upstream_connect_seconds_sum', 'upstream_first_byte_seconds_sum']) {
      const sum = await gate.metric(`tidegate_${name}`)
      test.ok(sum >= 0 && sum < 60, `${name} ${sum}`)
    }
  })
}
