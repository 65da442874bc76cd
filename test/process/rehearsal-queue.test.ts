// Workers rehearse one after another, whatever becomes of them.
import t from 'tap'
import { RehearsalQueue } from '../../src/process/rehearsal-queue.ts'

void t.test('one after another, in their order', async (test) => {
  const begun: string[] = []
  const queue = new RehearsalQueue<string>((worker) => void begun.push(worker))
  for (const worker of ['a', 'b', 'c']) queue.add(worker)
  test.strictSame(begun, ['a'])
  queue.remove('a')
  test.strictSame(begun, ['a', 'b'])
  queue.remove('b')
  queue.remove('c')
  queue.add('d')
  test.strictSame(begun, ['a', 'b', 'c', 'd'])
})

void t.test('a worker that ends while it waits or rehearses holds nobody up', async (test) => {
  const begun: string[] = []
  const queue = new RehearsalQueue<string>((worker) => void begun.push(worker))
  for (const worker of ['a', 'b', 'c']) queue.add(worker)
  queue.remove('b')
  queue.remove('x')
  test.strictSame(begun, ['a'])
  queue.remove('a')
  test.strictSame(begun, ['a', 'c'])
})
