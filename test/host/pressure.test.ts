// When memory is short: with a tenth of a limit left, in a small container earlier, until well below that.
import t from 'tap'
import { isShort, Pressure, Slack, type MemoryUse } from '../../src/host/pressure.ts'

const MIB = 1_048_576
const heap = (used: number): MemoryUse => ({ of: 'heap', used, limit: 100 })
const container = (used: number, limit = 1000): MemoryUse => ({ of: 'container', used: used * MIB, limit: limit * MIB })

void t.test('short with a tenth left, enough again with two: nothing flaps in between', async (test) => {
  const pressure = new Pressure()
  test.equal(pressure.judge([heap(89)], 1), undefined)
  test.equal(pressure.since, undefined)
  test.strictSame(pressure.judge([heap(90)], 2), heap(90))
  test.equal(pressure.since, 2)
  test.equal(pressure.judge([heap(99)], 3), undefined, 'told once')
  test.equal(pressure.judge([heap(81)], 4), undefined)
  test.equal(pressure.since, 2, 'since the first')
  test.equal(pressure.judge([heap(80)], 5), 'enough')
  test.equal(pressure.since, undefined)
  test.equal(pressure.judge([heap(89)], 6), undefined)
})

void t.test('either limit makes it short, both must have room for it to be enough', async (test) => {
  const pressure = new Pressure()
  test.strictSame(pressure.judge([heap(10), container(950)], 1), container(950))
  test.equal(pressure.judge([heap(95), container(100)], 2), undefined)
  test.equal(pressure.judge([heap(10), container(100)], 3), 'enough')
  test.equal(pressure.judge([], 4), undefined, 'nothing to be read')
})

void t.test('a small container keeps 40 MiB', async (test) => {
  for (const [used, limit, short] of [[899, 1000, false], [900, 1000, true], [215, 256, false], [216, 256, true]] as const) test.equal(isShort(container(used, limit)), short, `${used} of ${limit}`)
})

void t.test('what a process freed and keeps is free, what the kernel got back is not counted twice', async (test) => {
  const slack = new Slack()
  test.equal(slack.of({ needed: 50, resident: 80 }), 0)
  test.equal(slack.of({ needed: 150, resident: 180 }), 0, 'the peak')
  test.equal(slack.of({ needed: 60, resident: 180 }), 90)
  test.equal(slack.of({ needed: 60, resident: 100 }), 10)
  test.equal(slack.of({ needed: 60, resident: 40 }), 0)
  test.equal(slack.of({ needed: 160, resident: 190 }), 0, 'another peak')
  test.equal(slack.of({ needed: 150, resident: 200 }), 10)
})
