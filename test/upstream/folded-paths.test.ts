// A guarded prefix is not reached by a spelling that an upstream may fold, and no segment leaves its prefix in disguise
// (security.md F3): by the examples of the contract, and by servers of every kind against random paths.
import t from 'tap'
import type { PeerRules } from '../../src/tls/peer.ts'
import { refuseDisguises } from '../../src/upstream/folded-paths.ts'
import { parseTarget } from '../../src/azure/target.ts'
import { matchRoute, type ApiRoute } from '../../src/upstream/routes.ts'
import { reasonOf } from '../support/verdict.ts'

const OPEN: PeerRules = { verify: 'none', allow: undefined }
const GUARDED: PeerRules = { verify: 'required', allow: undefined }
// Only what routing looks at.
const api = (prefix: string, clients?: PeerRules): ApiRoute => ({ kind: 'api', name: prefix, prefix, clients } as unknown as ApiRoute)
const SPLIT = [api('/admin', GUARDED), api('')]
const ALONE = [api('/v1')]
const NESTED = [api('/v1/admin', GUARDED), api('/v1')]
const ALIKE = [api('/admin'), api('')]

function judge(path: string, site: readonly ApiRoute[], common = OPEN): string | undefined {
  const { decodedPath } = parseTarget(path, '')
  refuseDisguises(site, matchRoute(site, decodedPath), path, common)
  return undefined
}

const verdict = (path: string, site: readonly ApiRoute[], common = OPEN): string => reasonOf(() => judge(path, site, common)) ?? 'passed'

void t.test('spellings of a guarded prefix that lead to an open route are refused', async (test) => {
  const spellings = ['/%2Fadmin/x', '/ADMIN/x', '/admin;a=b/x', '/admin%3Ba/x', '/%5Cadmin/x', '/admin%5Cx', '/admin./x', '/admin%20/x', '/x/..;/admin/x',
    '/Admin', '/%2f%2fadmin', '/%5C%5Cadmin/', '/admin%2E', '/admin%09', '/admin...', '/admin%20.%20/', '/;/admin', '/;a=b/admin', '/;x%2Fy/admin/z', '/%3Bx%5Cy/admin', '/%253Bx/admin',
    '/%2561dmin', '/%25%36%31dmin', '/%2541DMIN/', '/%252Fadmin', '/%255Cadmin', '/admin%255C', '/;x%2Fy/%2561dmin', '/adm%C4%B0n/../x', '/%EF%BD%81dmin', '/%EF%BC%8Fadmin', '/admin%3Fx', '/admin%23',
    '/admin%00', '/admin%2500', '/%2561dmin/%25zz', '/admin%E3%80%80']
  for (const path of spellings) test.not(verdict(path, SPLIT), 'passed', path)
  for (const path of ['/v1/ADMIN', '/v1//admin', '/v1%2F%2Fadmin', '/v1;/admin', '/v1/admin;x', '/v1%5Cadmin']) test.not(verdict(path, NESTED), 'passed', path)
})

void t.test('dot segments in disguise are refused on every host of an API', async (test) => {
  const disguised = ['/v1/..;/admin', '/v1/%2e%2e;/admin', '/v1/%252e%252e/admin', '/v1/..%255cadmin', '/v1/..%20/admin',
    '/v1/%20../admin', '/v1/...', '/v1/..../x', '/v1/.;x/', '/v1/%2e;a/x', '/v1/..%253Bx/y', '/v1/x%252f..%252fy', '/v1/..;x%2Fy/z', '/v1/%EF%BC%8E%EF%BC%8E/x', '/v1/%E2%80%A5/x', '/v1/%252e%252e/%25zz', '/v1/..%3F/x', '/v1/..%2509/x', '/v1/..%2500/x']
  for (const site of [ALONE, ALIKE, SPLIT].map((routes) => (routes === ALONE ? routes : [...routes, api('/v1')].toSorted((a, b) => b.prefix.length - a.prefix.length)))) {
    for (const path of disguised) test.equal(verdict(path, site), 'target-ambiguous', path)
  }
})

void t.test('what is ordinary inside one route passes', async (test) => {
  const ordinary = ['/a%2Fb', '/a;b=c/d', '/A/B', '/a%20b/c%20d', '/a%5Cb', '/a//b', '/a.b/c.', '/%C3%A4/%E2%82%AC', '/100%25', '/a%252Fb', '/.well-known/x', '/..a/x', '/a../b', '/administrator', '/admin-x', '/xadmin', '/x/admin', '/x/ADMIN;y', '/x%2Fadmin', '/a;../b', '/%2Ex']
  for (const path of ordinary) {
    test.equal(verdict(path, SPLIT), 'passed', path)
    test.equal(verdict(`/v1${path}`, ALONE), 'passed', `/v1${path}`)
  }
  for (const path of ['/admin', '/admin/', '/admin/A;b%2Fc', '/admin/%5C', '/%61dmin/x']) test.equal(verdict(path, SPLIT), 'passed', `${path} is the guarded route`)
})

void t.test('where all routes have the same rules, spellings that lead to another one pass', async (test) => {
  for (const path of ['/ADMIN/x', '/%2Fadmin/x', '/admin;a/x', '/admin%20/x']) test.equal(verdict(path, ALIKE), 'passed', path)
  const same = [api('/admin', { verify: 'required', allow: ['DNS:a', 'DNS:b'] }), api('')]
  test.equal(verdict('/ADMIN', same, { verify: 'required', allow: ['DNS:b', 'DNS:a'] }), 'passed', 'the rules for all names, in another order')
  test.equal(verdict('/ADMIN', [...same], { verify: 'required', allow: ['DNS:b'] }), 'target-ambiguous')
  test.equal(verdict('/ADMIN', [api('/admin', { verify: 'none', allow: undefined }), api('')], GUARDED), 'target-ambiguous', 'an open prefix in a guarded host')
})

void t.test('a prefix is its own spelling, whatever it folds to', async (test) => {
  const site = [api('/Admin;1', GUARDED), api('')]
  test.equal(verdict('/Admin;1/x', site), 'passed')
  test.equal(verdict('/admin/x', site), 'target-ambiguous', 'folded it is the guarded one')
})

/** One step of a server that folds paths. */
type Step = (path: string) => string
const decodeOnce: Step = (path) => {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
const STEPS: readonly Step[] = [
  decodeOnce,
  (path) => path.toLowerCase(),
  (path) => path.replaceAll('\\', '/'),
  (path) => path.replaceAll(/\/{2,}/g, '/'),
  (path) => path.replaceAll(/;[^/]*/g, ''),
  (path) => path.split('/').map((segment) => segment.replace(/[ .]{1,9}$/, (end) => (/^\.{1,2}$/.test(segment) ? end : ''))).join('/'),
  (path) => path.split('/').reduce<string[]>((out, segment) => (segment === '..' ? out.slice(0, -1) : segment === '.' ? out : [...out, segment]), []).join('/'),
]
const TOKENS = ['/', '/', '%2F', '%5C', '%252F', '%255c', ';', '%3B', '%253b', '=', '.', '..', '%2e', '%252E', '%20', '%2520', 'admin', 'admin', 'ADMIN', '%61dmin', '%2561dmin', 'x', 'y']

/** Numbers from 0 up to 1 that follow from a seed (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296
  }
}

const SEED = Number(process.env['TIDEGATE_SEED'] ?? 11)

const next = numbersFrom(SEED)
const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T

/** What a server of a random kind makes of a path; it decodes twice at most. */
function readByServer(path: string): string {
  let decodings = 0
  return Array.from({ length: 8 }, () => pick(STEPS)).filter((step) => step !== decodeOnce || ++decodings < 3).reduce((read, step) => step(read), path)
}

void t.test(`no server of ${STEPS.length} kinds of folding, in any order, reads an admitted path as the guarded one (seed ${SEED})`, async (test) => {
  const passed: string[] = []
  for (let i = 0; i < 40_000; i++) {
    const path = `/${Array.from({ length: 1 + Math.floor(next() * 7) }, () => pick(TOKENS)).join('')}`
    if (verdict(path, SPLIT) === 'passed' && matchRoute(SPLIT, parseTarget(path, '').decodedPath) === SPLIT[1]) passed.push(path)
  }
  const misread = passed.flatMap((path) => Array.from({ length: 4 }, () => ({ path, read: readByServer(path) }))).filter(({ read }) => /^\/admin(?:\/|$)/.test(read))
  test.strictSame(misread, [])
  test.ok(passed.length > 1000, `${passed.length} were admitted on the open route`)
})

void t.test('a long path of nothing but odd characters costs little', async (test) => {
  const began = process.cpuUsage()
  for (const piece of ['.', ';', '%2e', '%252e', '//', '%3B', '%20', 'A', '%25']) verdict(`/x${piece.repeat(30_000 / piece.length)}y`, SPLIT)
  const { user } = process.cpuUsage(began)
  test.ok(user < 5_000_000, `${user / 1000} ms of cpu`)
})
