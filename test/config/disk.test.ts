import { spawnSync } from 'node:child_process'
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { t as root, test } from 'tap'
import { readAll, readBounded } from '../../src/config/disk.ts'

const folder = root.testdir({ file: 'content', folder: {}, large: 'x'.repeat(1_048_577) })
const at = (name: string) => join(folder, name)

await test('a file, also through a link', async (t) => {
  symlinkSync(at('file'), at('link'))
  for (const name of ['file', 'link']) t.match(await readBounded(at(name)), { bytes: Buffer.from('content') })
})

await test('what cannot be read', async (t) => {
  t.equal(await readBounded(at('none')), 'does not exist')
  t.equal(await readBounded(at('file/inside')), 'does not exist')
  t.equal(await readBounded(at('folder')), 'is a directory')
  t.equal(await readBounded(at('large')), 'has more than 1048576 bytes')
  t.equal(await readBounded('/dev/null'), 'is not a regular file')
})

await test('a pipe does not keep us waiting', { skip: spawnSync('mkfifo', [at('pipe')]).status === 0 ? false : 'the program mkfifo is missing' }, async (t) => {
  t.equal(await readBounded(at('pipe')), 'is not a regular file')
})

await test('a file that may not be read', { skip: process.getuid?.() === 0 ? 'root may read everything' : false }, async (t) => {
  writeFileSync(at('closed'), '', { mode: 0o000 })
  t.equal(await readBounded(at('closed')), 'permission denied')
})

await test('others count, a group does not', async (t) => {
  for (const [mode, exposed] of [[0o600, false], [0o640, false], [0o440, false], [0o644, true], [0o604, true], [0o602, true]] as const) {
    chmodSync(at('file'), mode)
    t.match(await readBounded(at('file')), { exposed }, mode.toString(8))
  }
})

await test('many at once, each by its path', async (t) => {
  const read = await readAll([at('file'), at('none'), at('file')])
  t.strictSame([...read.keys()], [at('file'), at('none')])
  t.equal(read.get(at('none')), 'does not exist')
})
