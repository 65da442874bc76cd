// What a reader may have taken unseen: told from one that has stopped by whether it still makes steps.
import t from 'tap'
import { largestStep } from '../../../src/gate/connection/timeouts.ts'

/** A sample each second, from bytes acknowledged at that time. */
const samplesOf = (bytes: readonly number[]): number[] => bytes.flatMap((total, second) => [second * 1000, total])
const STEP = 4192

void t.test('a reader that still makes steps is given its largest', (test) => {
  test.equal(largestStep(samplesOf(Array.from({ length: 21 }, (_, i) => 17_000 + Math.floor(i / 14) * STEP))), STEP, 'one in fourteen seconds')
  test.equal(largestStep(samplesOf(Array.from({ length: 21 }, (_, i) => Math.floor(i / 3) * 900))), 900, 'small ones')
  test.end()
})

void t.test('one that has stopped is given nothing, whatever the kernels took at first', (test) => {
  test.equal(largestStep(samplesOf([0, 90_000, 120_000, ...Array<number>(18).fill(120_000)])), 0)
  test.equal(largestStep(samplesOf(Array<number>(21).fill(17_000))), 0)
  test.equal(largestStep([]), 0)
  test.end()
})
