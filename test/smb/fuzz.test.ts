// Random and mutated frames in both directions: no crash, nothing passes that should not, no READY without a login.
// SMB_FUZZ=1000000 asks for more of them.
import t from 'tap'
import { bareError, chosen, clear, loggedIn, negotiate, sessionSetup, SYNTHETIC, transform, HANDSHAKES } from '../support/smb.ts'
import { CHOICE, OFFER, SESSION, Talk, type Side } from '../support/smb-talk.ts'

const FRAMES = Number(process.env['SMB_FUZZ'] ?? 40_000)
const SEED = Number(process.env['SMB_FUZZ_SEED'] ?? 20_261_204)

/** A small generator, so that a failure can be repeated (mulberry32). */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) % below
  }
}

const random = generator(SEED)
const pick = <T>(items: readonly T[]): T => items[random(items.length)] as T
const KNOWN: readonly Buffer[] = [
  OFFER, CHOICE, sessionSetup(), sessionSetup(SESSION), loggedIn(SESSION), loggedIn(SESSION, { flags: 1 }), bareError(1, 0x103), bareError(1, 0xc0000016),
  chosen(0x0300), negotiate({ dialects: [0x0300] }), transform(SESSION, 40), transform(SESSION, 3000), clear({ command: 13, body: Buffer.alloc(4) }),
  clear({ command: 13, response: true, body: Buffer.alloc(4) }),
  ...SYNTHETIC.map(({ bytes }) => bytes), ...HANDSHAKES.flatMap(({ frames }) => frames.map(({ bytes }) => bytes)),
]

function mutated(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  for (let i = random(4); i > 0; i--) copy[random(Math.min(copy.length, random(3) === 0 ? copy.length : 80))] = random(256)
  return random(20) === 0 ? copy.subarray(0, random(copy.length + 1)) : copy
}

function noise(): Buffer {
  return Buffer.from(Array.from({ length: random(200) }, () => random(4) === 0 ? random(256) : 0))
}

/** A second, plain reading of what passed: every frame in clear is of a kind that may pass in clear. */
function mayPass(side: Side, bytes: Buffer): boolean {
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = bytes.readUInt32BE(at)
    const message = bytes.subarray(at + 4, at + 4 + length)
    if (message[0] === 0xfe && message.length === length && !clearKind(side, message, at === 0)) return false
    if (message[0] !== 0xfe && message[0] !== 0xfd) return false
    at += 4 + length
  }
  return true
}

function clearKind(side: Side, message: Buffer, first: boolean): boolean {
  const command = message.readUInt16LE(12)
  const response = (message.readUInt32LE(16) & 1) === 1
  if (message.readUInt32LE(20) !== 0 || response !== (side === 's')) return false
  if (first) return command === 0
  if (command === 1 || (command === 13 && message.length === 68)) return true
  return side === 's' && (message.length === 73 || (command === 18 && (message.length === 88 || message.length === 108)))
}

void t.test(`${FRAMES} random and mutated frames`, async (test) => {
  let logins = 0
  for (let i = 0; i < FRAMES;) {
    const talk = new Talk()
    if (random(3) > 0) talk.to(pick(['wait', 'session', 'login', 'ready'] as const))
    const sent = { c: 0, s: 0 }
    for (let more = 1 + random(12); more > 0; more--, i++) {
      const side = pick(['c', 's'] as const)
      const bytes = random(6) === 0 ? noise() : mutated(pick(KNOWN))
      sent[side] += bytes.length
      if (talk.send(side, bytes, random(4) === 0 ? 1 + random(50) : bytes.length) !== undefined) break
    }
    const { conversation } = talk
    for (const side of ['c', 's'] as const) if (!mayPass(side, talk.bytes(side))) test.fail(`seed ${SEED}, frame ${i}, ${side}: ${talk.bytes(side).toString('hex').slice(0, 4000)}`)
    if ((conversation.phase === 'ready') !== (conversation.logins > 0)) test.fail(`seed ${SEED}, frame ${i}: ready without a login`)
    logins += conversation.logins
  }
  test.ok(logins > 100, `${logins} logins on the way`)
})
