// What runs in production: each package is fixed by version and digest, from the registry, under a licence of the list, and in
// docs/licenses.md.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ALLOWED, licensesPage, notAllowed, productionPackages, readLock } from '../../scripts/licenses.ts'

const ROOT = join(import.meta.dirname, '../..')
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<'dependencies' | 'devDependencies', Record<string, string>>

void t.test('dependencies are pinned: an exact version each, and in the lock file a digest', async (test) => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) test.match(version, /^\d+\.\d+\.\d+(?:-[\w.]+)?$/, name)
  const { packages } = readLock()
  for (const [path, { version, resolved, integrity }] of Object.entries(packages).filter(([own, { inBundle }]) => own !== '' && inBundle !== true)) {
    test.ok(version !== undefined && (resolved?.startsWith('https://registry.npmjs.org/') ?? true) && (integrity?.startsWith('sha512-') ?? false), path)
  }
  for (const [name, version] of Object.entries(manifest.dependencies)) test.equal(packages[`node_modules/${name}`]?.version, version, name)
})

void t.test('every licence is on the list, and the page is what the lock file says', async (test) => {
  const packages = productionPackages(readLock())
  test.ok(packages.length > 50 && Object.keys(manifest.dependencies).every((name) => packages.some((it) => it.name === name)), 'all of them were read')
  test.strictSame(notAllowed(packages), [])
  test.equal(readFileSync(join(ROOT, 'docs/licenses.md'), 'utf8'), licensesPage(packages), 'npm run licenses writes it anew')
})

void t.test('a licence that is not on the list, or none, is told; what is for development is not looked at', async (test) => {
  const lock = { packages: { '': {}, 'node_modules/a': { version: '1.0.0', license: 'GPL-3.0-only' }, 'node_modules/a/node_modules/@b/c': { version: '2.0.0' }, 'node_modules/d': { version: '3.0.0', license: 'GPL-3.0-only', dev: true }, 'node_modules/e': { version: '4.0.0', license: ALLOWED[0] ?? '' } } }
  test.strictSame(notAllowed(productionPackages(lock)), [{ name: '@b/c', version: '2.0.0', license: 'none' }, { name: 'a', version: '1.0.0', license: 'GPL-3.0-only' }])
})
