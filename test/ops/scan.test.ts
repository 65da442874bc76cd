// `npm run scan` against a running gateway: the sections of testssl.sh that take seconds, and sslscan. The whole, with its
// grade, takes minutes: docs/security.md has what it found.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'

const SCAN = join(import.meta.dirname, '../../scripts/scan.ts')
const missing = ['testssl', 'sslscan'].filter((tool) => spawnSync('which', [tool]).status !== 0)

void t.test('protocols, renegotiation, fallback: nothing that is not explained', { skip: missing.length === 0 ? false : `${missing.join(' and ')} missing` }, async (test) => {
  const child = spawn(process.execPath, [SCAN, '-p', '-R', '-Z', '-C'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const [code] = await once(child, 'close') as [number]
  test.equal(code, 0, said)
  test.match(said, /\d+ findings of testssl and sslscan\./)
  test.match(said, /TLSv1\.3\s+enabled/)
  test.notMatch(said, /^ {2}BAD/m)
})
