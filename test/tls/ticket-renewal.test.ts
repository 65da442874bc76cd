// What OpenSSL is told of each ticket: with which keys, and that no two are sealed alike.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { TicketSeal } from '../../src/tls/ticket-renewal.ts'

type Callback = (name: Buffer, iv: Buffer, seals: boolean) => readonly [number, ...Buffer[]]

/** A seal on a context of which only the hook is there. */
function start(keys: Buffer): { readonly seal: TicketSeal; readonly ask: Callback } {
  const native: { enabled: boolean; enableTicketKeyCallback(): void; onticketkeycallback: Callback } = {
    enabled: false,
    enableTicketKeyCallback() {
      this.enabled = true
    },
    onticketkeycallback: () => [-1],
  }
  const seal = new TicketSeal(keys)
  seal.putOn({ context: native })
  return { seal, ask: (...given) => (native.enabled ? native.onticketkeycallback(...given) : [-1]) }
}

const NONE = Buffer.alloc(16)

void t.test('sealed with the keys in force, and each time with another vector', async (test) => {
  const keys = randomBytes(48)
  const { ask } = start(keys)
  const vectors = new Set<string>()
  for (let i = 0; i < 1000; i++) {
    const [answer, mac, cipher, name, iv] = ask(NONE, NONE, true)
    test.ok(answer === 1 && Buffer.concat([name ?? NONE, mac ?? NONE, cipher ?? NONE]).equals(keys) && iv?.length === 16)
    vectors.add(iv?.toString('hex') ?? '')
  }
  test.equal(vectors.size, 1000)
})

void t.test('opened by its name, renewed where the hello leads to TLS 1.3, unknown under other keys', async (test) => {
  const keys = randomBytes(48)
  const name = Buffer.from(keys.subarray(0, 16))
  const { seal, ask } = start(keys)
  test.equal(ask(name, NONE, false)[0], 1)
  seal.helloNext(true)
  test.equal(ask(name, NONE, false)[0], 2)
  test.equal(ask(randomBytes(16), NONE, false)[0], 0)
  seal.take(randomBytes(48))
  test.equal(ask(name, NONE, false)[0], 0, 'of the keys before')
})
