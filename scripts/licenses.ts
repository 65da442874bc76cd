// `npm run licenses`: writes docs/licenses.md, the licence of every package that runs in production, from the lock file.
// Fails where one has a licence that is not on the list; test/scripts/licenses.test.ts holds the page to the lock file.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** By SPDX name. None of them asks for more than that its text and its author are named. */
export const ALLOWED: readonly string[] = ['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'MIT-0', 'Unlicense']

/** A package as the lock file (version 3) has it. */
export interface LockedPackage {
  readonly version?: string
  readonly license?: string
  readonly resolved?: string
  readonly integrity?: string
  /** For development only. */
  readonly dev?: boolean
  readonly devOptional?: boolean
  /** It comes inside of another one, and is fixed with it. */
  readonly inBundle?: boolean
}

export interface LockFile {
  readonly packages: Readonly<Record<string, LockedPackage>>
}

export interface Licensed {
  readonly name: string
  readonly version: string
  readonly license: string
}

/** The lock file of this checkout. */
export function readLock(): LockFile {
  return JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as LockFile
}

/** Given a lock file, returns what `npm ci --omit=dev` installs, by name and version; a licence that is not stated is `none`. */
export function productionPackages({ packages }: LockFile): Licensed[] {
  const found = Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path, { version = '', license = 'none' }]): Licensed => ({ name: path.replace(/^.*node_modules\//, ''), version, license }))
  const unique = new Map(found.map((it) => [`${it.name} ${it.version}`, it]))
  return [...unique.values()].toSorted((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1))
}

/** Those of them whose licence is not on the list. */
export function notAllowed(packages: readonly Licensed[]): Licensed[] {
  return packages.filter(({ license }) => !ALLOWED.includes(license))
}

/** The page. */
export function licensesPage(packages: readonly Licensed[]): string {
  const rows = packages.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`)
  return `# Licences

Every package that runs in production, with the licence that it states; those for development are not in the image. Written by \`npm run licenses\` from \`package-lock.json\`, which fixes each by version and digest. A licence that is not one of ${ALLOWED.join(', ')} fails \`npm test\`.

| package | version | licence |
| --- | --- | --- |
${rows.join('\n')}
`
}

if (import.meta.main) {
  const packages = productionPackages(readLock())
  const strange = notAllowed(packages)
  for (const { name, version, license } of strange) process.stderr.write(`${name} ${version}: ${license} is not on the list\n`)
  writeFileSync(join(ROOT, 'docs/licenses.md'), licensesPage(packages))
  process.exitCode = strange.length === 0 ? 0 : 1
}
