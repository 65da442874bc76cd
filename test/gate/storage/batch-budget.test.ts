// The bytes of batches that a worker holds: beyond the budget the oldest unfinished one gives way (security.md F4).
import t from 'tap'
import { BatchBudget } from '../../../src/gate/storage/batch-budget.ts'

interface Rig { readonly budget: BatchBudget; readonly told: string[]; readonly begin: (name: string, address?: string) => ReturnType<BatchBudget['hold']> }

function rig(): Rig {
  const budget = new BatchBudget({ worker: 100, address: 40 })
  const told: string[] = []
  return { budget, told, begin: (name, address = name) => budget.hold(address, () => void told.push(name)) }
}

void t.test('the oldest unfinished batch of all gives way', async (test) => {
  const { budget, told, begin } = rig()
  const batches = ['a', 'b', 'c', 'd'].map((name) => begin(name))
  for (const batch of batches.slice(0, 3)) batch.add(30)
  test.strictSame(told, [])
  batches[3]?.add(30)
  test.strictSame(told, ['a'])
  test.equal(budget.bytes, 90)
  batches[0]?.add(30)
  test.equal(budget.bytes, 90, 'what gave way counts no more')
})

void t.test('one address has a share of its own', async (test) => {
  const { told, begin } = rig()
  begin('other').add(40)
  const [first, second] = [begin('first', '2001:db8::1'), begin('second', '2001:db8::2')]
  first.add(30)
  second.add(10)
  test.strictSame(told, [])
  second.add(1)
  test.strictSame(told, ['first'], 'a /64 is one address')
})

void t.test('what is whole gives way to no other; then the newcomer does', async (test) => {
  const { told, begin } = rig()
  for (const name of ['a', 'b', 'c']) {
    const batch = begin(name)
    batch.add(30)
    batch.finish()
  }
  const late = begin('late')
  late.add(20)
  test.strictSame(told, ['late'])
  late.release()
})

void t.test('a release makes room, once', async (test) => {
  const { budget, told, begin } = rig()
  const batch = begin('a')
  batch.add(40)
  batch.release()
  batch.release()
  batch.add(40)
  test.equal(budget.bytes, 0)
  begin('b', 'a').add(40)
  test.strictSame(told, [])
})

void t.test('a batch that holds nothing yet is no help and is not told', async (test) => {
  const { told, begin } = rig()
  begin('empty', 'x')
  begin('full', 'x').add(41)
  test.strictSame(told, ['full'])
})
