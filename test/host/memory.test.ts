// What is read of memory: V8's heap always, the container's accounts where there are any.
import t from 'tap'
import { getHeapStatistics } from 'node:v8'
import { accountsHere, readMemory } from '../../src/host/memory.ts'
import { Slack } from '../../src/host/pressure.ts'

void t.test('the heap of this process, against V8\'s own limit', async (test) => {
  const [heap] = readMemory(undefined, new Slack())
  test.match(heap, { of: 'heap', used: Number, limit: getHeapStatistics().heap_size_limit })
  test.ok(heap !== undefined && heap.used > 1e6 && heap.used < heap.limit)
})

void t.test('the container\'s, where it has accounts: less than its limit', async (test) => {
  const [, container] = readMemory(accountsHere(), new Slack())
  if (container !== undefined) test.ok(container.used > 0 && container.used < container.limit)
})

void t.test('files that are not there are no accounts', async (test) => {
  const nowhere = { limit: '/nowhere/limit', usage: '/nowhere/usage', stat: '/nowhere/stat', files: /x/g }
  test.strictSame(readMemory(nowhere, new Slack()).map((use) => use.of), ['heap'])
})
