// Of any n in a row a share is kept, give or take one: no chance, no drift.
import t from 'tap'
import { keepShare } from '../../src/observe/sampling.ts'

for (const share of [0, 0.000001, 0.01, 0.1, 0.3, 1 / 3, 0.5, 0.9, 0.99, 1]) {
  void t.test(`a share of ${share}`, async (test) => {
    const keep = keepShare(share)
    const kept = Array.from({ length: 100_000 }, () => keep())
    for (const [from, n] of [[0, 100_000], [0, 7], [50, 1000], [99_000, 1000]] as const) {
      const count = kept.slice(from, from + n).filter(Boolean).length
      test.ok(Math.abs(count - share * n) <= 1.1, `${count} of ${n}`)
    }
    test.equal(kept[0], share > 0, 'the first one, where any is')
  })
}
