// Against real connections: what the kernel holds for a reader grows while it does not read, and is gone when it has read.
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { readKernelState } from '../../src/host/kernel-state.ts'
import { until } from '../support/until.ts'

async function connected(test: Test, host: string): Promise<{ ours: Socket; theirs: Socket }> {
  const server = createServer()
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  const theirs = connect({ port: typeof address === 'object' ? address?.port ?? 0 : 0, host: host === '::' ? '127.0.0.1' : host })
  const [ours] = await once(server, 'connection') as [Socket]
  test.teardown(() => {
    theirs.destroy()
    ours.destroy()
    server.close()
  })
  theirs.pause()
  return { ours, theirs }
}

const heldFor = async (socket: Socket): Promise<number> => (await readKernelState([socket])).get(socket)?.unacknowledged ?? Number.NaN

for (const host of ['127.0.0.1', '::']) {
  void t.test(`a reader that stops, then reads: listening on ${host}`, { skip: existsSync('/proc/self/net/tcp') ? false : 'no /proc/net/tcp' }, async (test) => {
    const [one, other] = [await connected(test, host), await connected(test, host)]
    test.equal(await heldFor(one.ours), 0)
    one.ours.write(Buffer.alloc(16 * 1024 * 1024))
    await until(async () => await heldFor(one.ours) > 0, 'bytes that wait')
    test.equal(await heldFor(other.ours), 0, 'each for itself')
    one.theirs.resume()
    await until(async () => one.ours.writableLength === 0 && await heldFor(one.ours) === 0, 'all to be read')
  })
}

void t.test('a peer that has ended its side', { skip: existsSync('/proc/self/net/tcp') ? false : 'no /proc/net/tcp' }, async (test) => {
  const { ours, theirs } = await connected(test, '127.0.0.1')
  const established = async (): Promise<boolean | undefined> => (await readKernelState([ours])).get(ours)?.established
  test.equal(await established(), true)
  ours.allowHalfOpen = true
  theirs.end()
  await until(async () => await established() === false, 'its FIN')
})

void t.test('a connection that is gone is not told of', async (test) => {
  const { ours } = await connected(test, '127.0.0.1')
  ours.destroy()
  test.equal((await readKernelState([ours])).size, 0)
  test.equal((await readKernelState([])).size, 0)
})
