// The recorded connections and single frames of docs/spec/smb-guard.md meet their verdicts, however they are cut.
import t from 'tap'
import type { Rules } from '../../src/smb/dialects.ts'
import type { Verdict } from '../../src/smb/frames.ts'
import { framesBefore, HANDSHAKES, STRICT, SYNTHETIC, type Handshake, type RecordedFrame } from '../support/smb.ts'
import { Talk, type Side } from '../support/smb-talk.ts'

class Run extends Talk {
  readonly #sizes: { readonly c: number; readonly s: number }

  constructor(rules: Rules, sizes = { c: Infinity, s: Infinity }) {
    super(rules)
    this.#sizes = sizes
  }

  override send(side: Side, bytes: Buffer): Verdict | undefined {
    return super.send(side, bytes, Math.min(this.#sizes[side], bytes.length))
  }
}

const CUTS = { 'whole': undefined, 'one and three bytes': { c: 1, s: 3 }, 'seven bytes': { c: 7, s: 7 } }
const of = (frames: readonly RecordedFrame[], dir: 'c' | 's'): Buffer => Buffer.concat(frames.filter((f) => f.dir === dir).map((f) => f.bytes))

/** Plays a recording. Returns the number of the frame that did not pass, and what did. */
function play(run: Run, { frames }: Handshake): number | undefined {
  return frames.find(({ dir, bytes }) => run.send(dir, bytes) !== undefined)?.n
}

for (const [cut, sizes] of Object.entries(CUTS)) {
  void t.test(`recorded connections, ${cut}`, async (test) => {
    for (const handshake of HANDSHAKES) {
      const run = new Run(STRICT, sizes)
      const stopped = play(run, handshake)
      test.equal(stopped ?? null, handshake.strictRefusedFrame, handshake.name)
      const passed = handshake.frames.slice(0, stopped ?? handshake.frames.length)
      for (const dir of ['c', 's'] as const) test.ok(run.bytes(dir).equals(of(passed, dir)), `${handshake.name}: every byte of ${dir}, and none of the refused frame`)
    }
  })

  void t.test(`recorded connections with an option, ${cut}`, async (test) => {
    for (const handshake of HANDSHAKES.filter((it) => it.withMultiProtocolAllowed === 'accept')) {
      test.equal(play(new Run({ ...STRICT, smb1Upgrade: true }, sizes), handshake), undefined, handshake.name)
    }
    for (const handshake of HANDSHAKES.filter((it) => it.withClearTreeConnectAllowed !== undefined)) {
      const stopped = play(new Run({ ...STRICT, clearTreeConnect: true }, sizes), handshake)
      test.equal(stopped, handshake.withClearTreeConnectAllowed === 'accept' ? undefined : 7, handshake.name)
    }
    for (const handshake of HANDSHAKES.filter((it) => it.strict === 'refuse' && it.withMultiProtocolAllowed === undefined && it.name !== 'smbclient-nt1')) {
      test.equal(play(new Run({ ...STRICT, smb1Upgrade: true }, sizes), handshake), handshake.strictRefusedFrame, `${handshake.name} with upgrade`)
    }
  })

  void t.test(`single frames, ${cut}`, async (test) => {
    for (const single of SYNTHETIC) {
      const run = new Run(STRICT, sizes)
      for (const { dir, bytes } of framesBefore(single)) test.equal(run.send(dir, bytes), undefined, `${single.name}: before`)
      const before = run.bytes(single.dir).length
      const verdict = run.send(single.dir, single.bytes)
      test.equal(verdict === undefined ? 'accept' : 'refuse', single.strict, `${single.name}: ${verdict?.refusal.reason}`)
      test.equal(run.bytes(single.dir).length - before, single.strict === 'accept' ? single.bytes.length : 0, `${single.name}: bytes`)
    }
  })
}

void t.test('all frames that one side sends in one go are judged one by one', async (test) => {
  for (const handshake of HANDSHAKES.filter((it) => it.strict === 'accept')) {
    const run = new Run(STRICT)
    for (const { dir, bytes } of handshake.frames.slice(0, 6)) run.send(dir, bytes)
    for (const dir of ['c', 's'] as const) {
      const rest = of(handshake.frames.slice(6), dir)
      test.equal(run.send(dir, rest), undefined, handshake.name)
      test.ok(run.passed[dir].at(-1)?.equals(rest), 'passed on in one piece')
    }
  }
})
