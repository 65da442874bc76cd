// Which versions run, and which are below what is stated as sound (security.md V1).
import t from 'tap'
import { readVersions, versionWarnings } from '../../src/admin/status.ts'

const sound = { tidegate: '0.1.0', node: '24.22.1', openssl: '3.5.1', undici: '7.30.1', fastify: '5.12.8' }

void t.test('what runs here is sound, and each has a version', async (test) => {
  const versions = readVersions()
  for (const version of Object.values(versions)) test.match(version, /^\d+\.\d+\.\d+/)
  test.equal(versions.node, process.versions.node)
  test.strictSame(versionWarnings(versions), [])
})

void t.test('what is below is named with what it should be', async (test) => {
  test.strictSame(versionWarnings(sound), [])
  test.strictSame(versionWarnings({ ...sound, node: '26.12.1', undici: '8.0.0', fastify: '5.20.1' }), [])
  test.strictSame(versionWarnings({ ...sound, node: '24.21.0' }), ['node 24.21.0 is below 24.22.1'], 'before the release of 2026-10-21')
  test.strictSame(versionWarnings({ ...sound, node: '26.10.0' }), ['node 26.10.0 is below 26.12.1'], 'each line has its own minimum')
  test.strictSame(versionWarnings({ ...sound, node: '22.30.0' }), ['node 22.30.0 is below 24.22.1'])
  test.strictSame(versionWarnings({ ...sound, undici: '7.30.0', fastify: '4.99.99' }), ['undici 7.30.0 is below 7.30.1', 'fastify 4.99.99 is below 5.12.8'])
})
