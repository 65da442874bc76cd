// Every cell of the two tables of docs/spec/smb-guard.md section 4, with the reason that section 9.10 gives for it.
import t, { type Test } from 'tap'
import { bareError, chosen, clear, frameOf, framed, loggedIn, negotiate, sessionSetup, transform } from '../support/smb.ts'
import { CHOICE, MORE_PROCESSING_REQUIRED, OFFER, outcome, SESSION, Talk, type Place, type Side } from '../support/smb-talk.ts'
import { cipherName, dialectName, type Rules } from '../../src/smb/dialects.ts'

const KIB_128 = 128 * 1024
const EVERYWHERE: readonly Place[] = ['negotiate', 'wait', 'session', 'login', 'ready']
const LATER: readonly Place[] = ['session', 'login', 'ready']
const ID = { smb1: 'ff534d42', clear: 'fe534d42', transform: 'fd534d42', compressed: 'fc534d42', none: 'aa534d42' }

const announced = (length: number, id = ''): Buffer => Buffer.from(length.toString(16).padStart(8, '0') + id, 'hex')
const echo = (body = 4, extra: object = {}): Buffer => clear({ command: 13, body: Buffer.alloc(body, 4), ...extra })

function holds(test: Test, side: Side, places: readonly Place[], rows: readonly (readonly [Buffer, string, string])[], rules: Partial<Rules> = {}): void {
  for (const place of places) {
    for (const [bytes, wanted, name] of rows) {
      for (const size of [bytes.length, 1]) {
        const talk = new Talk(rules).to(place)
        const before = talk.bytes(side).length
        test.equal(outcome(talk.send(side, bytes, size)), wanted, `${name} at ${place}, ${size} bytes at a time`)
        if (wanted !== 'forward') test.equal(talk.bytes(side).length, before, 'nothing of it passes')
      }
    }
  }
}

const all = (ciphers: readonly number[]): Buffer => negotiate({ dialects: [0x0300, 0x0302, 0x0311], ciphers })

const brk = (body: number, size = body, extra: object = {}): Buffer => {
  const bytes = Buffer.alloc(body)
  bytes.writeUInt16LE(size, 0)
  return clear({ command: 18, response: true, messageId: 0xffffffffffffffffn, body: bytes, ...extra })
}

const tree = (extra: object = {}): Buffer => clear({ command: 3, signed: true, session: SESSION, body: Buffer.alloc(40), ...extra })
const treeAnswer = (flags: number, extra = 0): Buffer => {
  const body = Buffer.alloc(16 + extra)
  body.writeUInt16LE(16, 0)
  body.writeUInt32LE(flags, 4)
  return clear({ command: 3, response: true, session: SESSION, body })
}
const treeRun = (...frames: (readonly [Side, Buffer])[]): string => {
  const talk = new Talk({ clearTreeConnect: true }).to('ready')
  return frames.map(([side, bytes]) => outcome(talk.send(side, bytes))).at(-1) ?? ''
}

void t.test('client: the first byte, the length and the id', async (test) => {
  holds(test, 'c', EVERYWHERE, [
    [Buffer.from('85000000', 'hex'), 'smb-framing reset', 'a NetBIOS keep-alive'],
    [Buffer.from([0x81]), 'smb-framing reset', 'one byte that is not zero'],
    [announced(0), 'smb-framing reset', 'length 0'],
    [announced(3), 'smb-framing reset', 'length 3'],
    [announced(64, ID.none), 'smb-framing reset', 'an unknown id'],
    [announced(63, ID.clear), 'smb-framing reset', 'shorter than its header'],
    [announced(51, ID.transform), 'smb-framing reset', 'a transform shorter than its header'],
    [announced(64, ID.smb1), 'smb-smb1 reset', 'SMB 1'],
    [announced(64, ID.compressed), 'smb-clear-command reset', 'compressed'],
    [announced(KIB_128 + 1, ID.clear), 'smb-framing reset', 'in clear over 128 KiB'],
  ])
  holds(test, 'c', ['negotiate', 'wait', 'session', 'login'], [[announced(KIB_128 + 1), 'smb-framing reset', 'four bytes that announce too much']])
})

void t.test('server: the first byte, the length and the id', async (test) => {
  holds(test, 's', ['wait', ...LATER], [
    [Buffer.from('85000000', 'hex'), 'smb-framing reset', 'a NetBIOS keep-alive'],
    [announced(0), 'smb-framing reset', 'length 0'],
    [announced(64, ID.none), 'smb-framing reset', 'an unknown id'],
    [announced(63, ID.clear), 'smb-framing reset', 'shorter than its header'],
    [announced(51, ID.transform), 'smb-framing reset', 'a transform shorter than its header'],
    [announced(64, ID.smb1), 'smb-smb1 reset', 'SMB 1'],
    [announced(64, ID.compressed), 'smb-clear-command reset', 'compressed'],
    [announced(KIB_128 + 1, ID.clear), 'smb-framing reset', 'in clear over 128 KiB'],
  ])
})

void t.test('client: NEGOTIATE', async (test) => {
  const DUPLICATE = [[3, Buffer.alloc(4)], [3, Buffer.alloc(4)]] as const
  const noDialects = negotiate({ dialects: [] })
  const beyond = Buffer.from(OFFER)
  beyond.writeUInt16LE(2000, 4 + 64 + 2)
  const overrun = Buffer.from(OFFER)
  overrun.writeUInt16LE(2000, 4 + 64 + 48 + 2)
  holds(test, 'c', ['negotiate'], [
    [OFFER, 'forward', '3.1.1 with a cipher'],
    [negotiate({ dialects: [0x0311], ciphers: [9, 4], capabilities: 0 }), 'forward', 'one allowed cipher among others'],
    [negotiate({ dialects: [0x0300] }), 'forward', '3.0 with the capability'],
    [negotiate({ dialects: [0x0202, 0x0302] }), 'forward', '3.0.2 with the capability'],
    [negotiate({ dialects: [0x0202, 0x0210] }), 'smb-dialect c00000bb', 'old dialects'],
    [negotiate({ dialects: [0x02ff, 0x0310] }), 'smb-dialect c00000bb', 'dialects that nobody encrypts'],
    [negotiate({ dialects: [0x0300], capabilities: 0 }), 'smb-no-encryption-offered c00000bb', '3.0 without the capability'],
    [negotiate({ dialects: [0x0300, 0x0311] }), 'smb-no-encryption-offered c00000bb', '3.1.1 without an encryption context'],
    [negotiate({ dialects: [0x0311], ciphers: [] }), 'smb-no-encryption-offered c00000bb', 'no cipher'],
    [negotiate({ dialects: [0x0311], ciphers: [9] }), 'smb-no-encryption-offered c00000bb', 'an unknown cipher'],
    [noDialects, 'smb-framing reset', 'no dialects'],
    [beyond, 'smb-framing reset', 'dialects beyond the frame'],
    [overrun, 'smb-framing reset', 'a context over the end'],
    [negotiate({ dialects: [0x0311], ciphers: [2], contexts: DUPLICATE }), 'smb-framing reset', 'a context twice'],
    [clear({ command: 0 }), 'smb-framing reset', 'no body'],
    [clear({ command: 0, structureSize: 63, body: OFFER.subarray(68) }), 'smb-framing reset', 'another header'],
    [clear({ command: 0, response: true, body: OFFER.subarray(68) }), 'smb-order c0000022', 'a response'],
    [clear({ command: 0, next: 96, body: OFFER.subarray(68) }), 'smb-clear-command c0000022', 'a second command behind it'],
  ])
  holds(test, 'c', ['negotiate'], [1, 3, 8, 13].map((command) => [clear({ command, body: Buffer.alloc(4) }), 'smb-order reset', `command ${command}`] as const))
  holds(test, 'c', ['negotiate'], [[transform(SESSION, 32), 'smb-order reset', 'a transform']])
  holds(test, 'c', LATER, [[OFFER, 'smb-order reset', 'a second NEGOTIATE']])
  holds(test, 'c', ['wait'], [
    [OFFER, 'smb-order reset', 'NEGOTIATE'], [sessionSetup(), 'smb-order reset', 'SESSION_SETUP'],
    [echo(), 'smb-order reset', 'ECHO'], [transform(SESSION, 32), 'smb-order reset', 'a transform'],
  ])
})

void t.test('client: dialects and ciphers as configured', async (test) => {
  const old = negotiate({ dialects: [0x0300, 0x0302] })
  holds(test, 'c', ['negotiate'], [[old, 'smb-dialect c00000bb', '3.0 below the minimum'], [all([1]), 'forward', '3.1.1']], { minDialect: 0x0311 })
  holds(test, 'c', ['negotiate'], [[negotiate({ dialects: [0x0300] }), 'smb-dialect c00000bb', '3.0'], [old, 'forward', '3.0.2']], { minDialect: 0x0302 })
  holds(test, 'c', ['negotiate'], [
    [old, 'smb-dialect c00000bb', '3.0 without AES-128-CCM'],
    [all([1, 2]), 'smb-no-encryption-offered c00000bb', '3.1.1 with other ciphers'],
    [all([2, 4]), 'forward', '3.1.1 with an allowed cipher'],
  ], { ciphers: new Set([4]) })
})

void t.test('client: after NEGOTIATE', async (test) => {
  const setup = sessionSetup(SESSION)
  holds(test, 'c', LATER, [
    [setup, 'forward', 'SESSION_SETUP'],
    [echo(), 'forward', 'ECHO'],
    [echo(5), 'smb-clear-command c0000022', 'a longer ECHO'],
    [echo(4, { next: 72 }), 'smb-clear-command c0000022', 'ECHO with a command behind it'],
    [echo(4, { response: true }), 'smb-order c0000022', 'a response'],
    [clear({ command: 1, next: 96, body: Buffer.alloc(64) }), 'smb-clear-command c0000022', 'SESSION_SETUP with a command behind it'],
    [clear({ command: 1, response: true, body: Buffer.alloc(64) }), 'smb-order c0000022', 'a SESSION_SETUP response'],
  ])
  const others = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 4000]
  holds(test, 'c', LATER, others.map((command) => [clear({ command, body: Buffer.alloc(24), session: SESSION, signed: true }), 'smb-clear-command c0000022', `command ${command}`] as const))
})

for (const side of ['c', 's'] as const) {
  void t.test(`transforms of ${side === 'c' ? 'the client' : 'the server'}`, async (test) => {
    const malformed = [
      [transform(SESSION, 32, { flags: 0 }), 'smb-framing reset', 'flags 0'],
      [transform(SESSION, 32, { flags: 3 }), 'smb-framing reset', 'flags 3'],
      [transform(SESSION, 32, { size: 33 }), 'smb-framing reset', 'another size'],
      [transform(SESSION, 15), 'smb-framing reset', 'a payload of 15 bytes'],
      [transform(SESSION, 0), 'smb-framing reset', 'no payload'],
    ] as const
    holds(test, side, ['session', 'login', 'ready'], malformed)
    holds(test, side, ['session', 'login'], [[transform(SESSION, 32), 'smb-order reset', 'before the login has succeeded']])
    holds(test, side, ['ready'], [
      [transform(SESSION, 16), 'forward', 'the smallest'],
      [transform(SESSION + 1n, 32), 'smb-order reset', 'another session'],
      [transform(SESSION | 1n << 32n, 32), 'smb-order reset', 'the upper half of the id counts'],
    ])
    const talk = new Talk().to('ready')
    test.equal(talk.send(side, transform(SESSION, 0xffffff - 52), 65_536), undefined, '16 MiB pass')
  })
}

void t.test('server: the answer to NEGOTIATE', async (test) => {
  const CHOICES = [
    [CHOICE, 'forward', '3.1.1 and one cipher'],
    [chosen(0x0300), 'forward', '3.0 with the capability'],
    [chosen(0x0300, { capabilities: 0 }), 'smb-no-encryption-agreed reset', '3.0 without'],
    [chosen(0x0302), 'smb-dialect reset', 'not offered'],
    [chosen(0x0202), 'smb-dialect reset', 'too old'],
    [chosen(0x02ff), 'smb-dialect reset', 'the answer to SMB 1'],
    [chosen(0x0311), 'smb-no-encryption-agreed reset', 'no encryption context'],
    [chosen(0x0311, { ciphers: [0] }), 'smb-no-encryption-agreed reset', 'cipher 0'],
    [chosen(0x0311, { ciphers: [4] }), 'smb-no-encryption-agreed reset', 'a cipher that was not offered'],
    [chosen(0x0311, { ciphers: [2, 1] }), 'smb-no-encryption-agreed reset', 'two ciphers'],
    [chosen(0x0311, { ciphers: [2], contexts: [[3, Buffer.alloc(4)], [3, Buffer.alloc(4)]] }), 'smb-framing reset', 'a context twice'],
    [clear({ command: 0, response: true }), 'smb-framing reset', 'no body'],
    [clear({ command: 0, body: CHOICE.subarray(68) }), 'smb-order reset', 'a request'],
    [clear({ command: 0, response: true, next: 128, body: CHOICE.subarray(68) }), 'smb-clear-command reset', 'a second answer behind it'],
    [bareError(0, 0xc00000bb), 'forward', 'an error'],
    [bareError(0, 0x103), 'smb-framing reset', 'neither success nor error'],
  ] as const
  holds(test, 's', ['wait'], CHOICES)
  holds(test, 's', ['wait'], [[loggedIn(SESSION), 'smb-order reset', 'a login'], [echo(4, { response: true }), 'smb-order reset', 'ECHO'], [transform(SESSION, 32), 'smb-order reset', 'a transform']])
  holds(test, 's', LATER, [[CHOICE, 'smb-order reset', 'a second answer']])
  const allowed = { ciphers: new Set([1]) }
  holds(test, 's', ['wait'], [[CHOICE, 'smb-no-encryption-agreed reset', 'a cipher that is not allowed'], [chosen(0x0300), 'forward', '3.0']], allowed)
})

void t.test('server: an error to NEGOTIATE is the end', async (test) => {
  const talk = new Talk().to('wait')
  test.equal(outcome(talk.send('s', bareError(0, 0xc00000bb))), 'forward')
  test.equal(talk.conversation.phase, 'closing')
  test.equal(outcome(talk.send('c', sessionSetup())), 'smb-order reset')
  test.equal(outcome(talk.send('s', CHOICE)), 'smb-order reset')
})

void t.test('server: logins', async (test) => {
  holds(test, 's', ['session', 'login'], [
    [loggedIn(SESSION), 'forward', 'success'],
    [loggedIn(SESSION, { flags: 4 }), 'forward', 'success, encrypt data'],
    [loggedIn(SESSION, { flags: 1 }), 'smb-guest reset', 'guest'],
    [loggedIn(SESSION, { flags: 2 }), 'smb-guest reset', 'anonymous'],
    [loggedIn(SESSION, { flags: 5 }), 'smb-guest reset', 'guest and encrypt data'],
    [loggedIn(SESSION, { status: MORE_PROCESSING_REQUIRED }), 'forward', 'more processing required'],
    [bareError(1, 0xc000006d), 'forward', 'logon failure'],
    [bareError(1, 0x103), 'forward', 'pending'],
    [loggedIn(SESSION, { status: 0x103 }), 'smb-clear-command reset', 'pending with data'],
    [bareError(1, 0x80000005), 'smb-clear-command reset', 'a warning'],
    [clear({ command: 1, response: true }), 'smb-framing reset', 'success without a body'],
    [clear({ command: 1, response: true, next: 72, body: Buffer.alloc(64) }), 'smb-clear-command reset', 'an answer behind it'],
    [clear({ command: 1, body: Buffer.alloc(64) }), 'smb-order reset', 'a request'],
  ])
  for (const answer of [bareError(1, 0x103), bareError(1, 0xc000006d), loggedIn(SESSION, { status: MORE_PROCESSING_REQUIRED })]) {
    const talk = new Talk().to('login')
    talk.send('s', answer)
    test.equal(outcome(talk.send('c', transform(SESSION, 32))), 'smb-order reset', 'opens nothing')
  }
})

void t.test('server: after a login', async (test) => {
  holds(test, 's', ['ready'], [
    [brk(24), 'forward', 'an oplock break'], [brk(44), 'forward', 'a lease break'], [brk(24, 24, { session: SESSION }), 'forward', 'its session is not judged'],
    [brk(24, 44), 'smb-clear-command reset', 'another StructureSize'], [brk(30, 24), 'smb-clear-command reset', 'a tail'],
    [brk(24, 24, { messageId: 7n }), 'smb-clear-command reset', 'an ordinary message id'], [brk(24, 24, { next: 88 }), 'smb-clear-command reset', 'a command behind it'],
    [brk(24, 24, { response: false }), 'smb-order reset', 'no response bit'],
  ])
  holds(test, 's', ['session', 'login'], [[brk(24), 'smb-clear-command reset', 'an oplock break before a login']])
  holds(test, 's', LATER, [
    [echo(4, { response: true }), 'forward', 'ECHO'], [echo(5, { response: true }), 'smb-clear-command reset', 'a longer ECHO'],
    ...[0xc0000203, 0xc000035c, 0xc0000022, 0xc00000d0].map((status) => [bareError(8, status, SESSION), 'forward', `status ${status.toString(16)}`] as const),
    [bareError(8, 0xc0000034, SESSION), 'smb-clear-command reset', 'an error about a file'],
    [clear({ command: 8, response: true, status: 0xc0000022, body: Buffer.alloc(10, 9) }), 'smb-clear-command reset', 'an error with data'],
    [clear({ command: 8, response: true, body: Buffer.alloc(20) }), 'smb-clear-command reset', 'READ'],
    [clear({ command: 3, response: true, body: Buffer.alloc(16) }), 'smb-clear-command reset', 'TREE_CONNECT'],
    [clear({ command: 19, response: true, body: Buffer.alloc(8) }), 'smb-clear-command reset', 'a notification of Windows'],
  ])
})

void t.test('sessions: several on one connection, 4,096 at most', async (test) => {
  const talk = new Talk().to('ready')
  for (let i = 1n; i < 4096n; i++) test.equal(talk.send('c', sessionSetup(1000n + i)), undefined)
  test.equal(outcome(talk.send('c', sessionSetup(SESSION))), 'forward', 'a known one')
  test.equal(outcome(talk.send('s', loggedIn(1001n))), 'forward', 'a login on a known one')
  test.equal(outcome(talk.send('c', transform(1001n, 32))), 'forward')
  test.equal(outcome(talk.send('c', transform(SESSION, 32))), 'forward', 'the first one lives on')
  test.equal(outcome(talk.send('c', sessionSetup(9999n))), 'smb-limit reset')
  test.equal(outcome(talk.send('s', loggedIn(9999n))), 'smb-limit reset')
  test.equal(outcome(talk.send('s', loggedIn(9999n, { status: MORE_PROCESSING_REQUIRED }))), 'smb-limit reset')
  test.equal(talk.conversation.sessions.listed.length, 8)
})

void t.test('smb1Negotiate: upgrade adds one frame', async (test) => {
  const ask = frameOf('impacket-auto-encrypted', 0)
  const without = Buffer.from(ask)
  without.write('SMB 2.00?', without.indexOf('SMB 2.???'), 'latin1')
  const rules = { smb1Upgrade: true }
  const run = (frames: readonly (readonly [Side, Buffer])[]): string[] => {
    const talk = new Talk(rules)
    return frames.map(([side, bytes]) => outcome(talk.send(side, bytes)))
  }
  test.strictSame(run([['c', ask], ['s', chosen(0x02ff)], ['c', OFFER], ['s', CHOICE], ['c', sessionSetup()]]), Array(5).fill('forward'))
  test.strictSame(run([['c', without]]), ['smb-smb1 reset'], 'another list')
  test.strictSame(run([['c', ask], ['s', chosen(0x02ff)], ['c', ask]]).at(-1), 'smb-smb1 reset', 'only once')
  test.strictSame(run([['c', ask], ['c', OFFER]]).at(-1), 'smb-order reset', 'the client waits')
  test.strictSame(run([['c', ask], ['s', chosen(0x0202)]]).at(-1), 'smb-dialect reset', 'another dialect')
  test.strictSame(run([['c', ask], ['s', ask]]).at(-1), 'smb-smb1 reset', 'SMB 1 from the server')
  test.strictSame(run([['c', OFFER], ['c', ask]]).at(-1), 'smb-smb1 reset', 'leading only')
  test.strictSame(run([['c', framed(Buffer.concat([ask.subarray(4), Buffer.from('x')]))]]), ['smb-smb1 reset'], 'bytes behind it')
})

void t.test('clearTreeConnect: allow adds one frame', async (test) => {
  test.equal(treeRun(['c', tree()], ['s', treeAnswer(0x8000)], ['c', transform(SESSION, 32)]), 'forward')
  test.equal(treeRun(['c', tree()], ['s', treeAnswer(0)]), 'smb-no-encryption-agreed reset')
  test.equal(treeRun(['c', tree()], ['s', bareError(3, 0xc00000cc, SESSION)]), 'forward', 'an unknown share is the server\'s answer')
  test.equal(treeRun(['c', tree()], ['s', bareError(3, 0x103)], ['s', treeAnswer(0x8000)]), 'forward', 'an interim answer')
  test.equal(treeRun(['c', tree()], ['s', treeAnswer(0x8000, 8)]), 'smb-clear-command reset', 'data behind it')
  test.equal(treeRun(['s', treeAnswer(0x8000)]), 'smb-clear-command reset', 'nothing was asked')
  test.equal(treeRun(['c', tree({ signed: false })]), 'smb-clear-command c0000022')
  test.equal(treeRun(['c', tree({ session: 9n })]), 'smb-clear-command c0000022')
  test.equal(treeRun(['c', tree({ next: 104 })]), 'smb-clear-command c0000022')
  test.equal(outcome(new Talk({ clearTreeConnect: true }).to('login').send('c', tree())), 'smb-clear-command c0000022')
  test.equal(outcome(new Talk().to('ready').send('c', tree())), 'smb-clear-command c0000022', 'without the option')
})

void t.test('the error answer', async (test) => {
  const request = clear({ command: 3, signed: true, session: SESSION, messageId: 42n, body: Buffer.alloc(40) })
  const answer = new Talk().to('ready').send('c', request)?.answer ?? Buffer.alloc(0)
  test.equal(answer.length, 4 + 64 + 9)
  test.equal(answer.readUInt32BE(0), 73)
  test.equal(answer.readUInt16LE(4 + 12), 3)
  test.equal(answer.readUInt16LE(4 + 14), 1, 'one credit')
  test.equal(answer.readUInt32LE(4 + 16), 1, 'a response, not signed')
  test.equal(answer.readBigUInt64LE(4 + 24), 42n)
  test.equal(answer.readBigUInt64LE(4 + 40), SESSION)
  test.equal(answer.toString('hex', 4 + 48), `${'00'.repeat(16)}09${'00'.repeat(8)}`)
})

void t.test('the facts for the log', async (test) => {
  const { conversation } = new Talk().to('ready')
  test.strictSame(conversation.offered, ['2.0.2', '3.0', '3.1.1'])
  test.strictSame([conversation.dialectName, conversation.cipherName, conversation.label, conversation.logins], ['3.1.1', 'aes-128-gcm', '3.1.1', 1])
  test.strictSame(conversation.sessions.listed, ['0000000000000051'])
  test.equal(conversation.offer?.clientGuid, '33323130-3534-3736-3839-616263646566')
  test.strictSame([dialectName(0x0999), cipherName(9)], ['0x0999', '0x0009'])
  const old = new Talk()
  old.send('c', announced(64, ID.smb1))
  test.strictSame([old.conversation.offered, old.conversation.label], [['smb1'], 'smb1'])
  test.equal(new Talk().conversation.label, 'none')
})
