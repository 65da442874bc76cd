// Hosts and paths: exact names, whole segments, no default.
import t from 'tap'
import { hostName, isApis, matchRoute, matchSite, type ApiRoute, type Site, type StorageRoute } from '../../src/upstream/routes.ts'
import { reasonOf, refusalOf } from '../support/verdict.ts'

// Only what routing looks at; the far ends are never used here.
const api = (prefix: string): ApiRoute => ({ kind: 'api', name: `api${prefix}`, prefix } as ApiRoute)
const blob = { kind: 'storage', account: 'tideoffice', service: 'blob' } as StorageRoute
const apis = [api('/v1/reports'), api('/v1'), api('/v10')]
const open = [api('/a'), api('')]
const sites = new Map<string, Site>([['tideoffice.blob.tide.example', blob], ['payroll.tide.example', apis], ['open.tide.example', open]])

void t.test('the name in a Host field', async (test) => {
  const rows: [host: string, name: string | undefined][] = [
    ['a.example', 'a.example'], ['A.Example', 'a.example'], ['a.example:443', 'a.example'], ['a.example.', 'a.example'], ['a.example.:8443', 'a.example'], ['a_b.example', 'a_b.example'], ['localhost', 'localhost'],
    ['127.0.0.1:80', '127.0.0.1'], ['[::1]', '[::1]'], ['[::1]:443', '[::1]'], ['[::ffff:127.0.0.1]', '[::ffff:127.0.0.1]'],
    ['', undefined], ['.', undefined], ['.a', undefined], ['a..', undefined], ['-a', undefined], ['a-', undefined], ['a:', undefined], ['a:x', undefined], ['a:443:443', undefined], ['a:123456', undefined], ['a:65535', 'a'], ['a:59999', 'a'], ['a:00080', 'a'], ['a:65536', undefined], ['a:65600', undefined], ['a:66000', undefined], ['a:70000', undefined], ['[::1]:99999', undefined], ['u@a', undefined], ['a/b', undefined],
    ['a b', undefined], [' a', undefined], ['a,b', undefined], ['a\0', undefined], ['ä.example', undefined], ['a%2e', undefined], ['https://a', undefined], ['[::1', undefined], ['[]', undefined], ['a?b', undefined], ['a#b', undefined],
  ]
  for (const [host, name] of rows) test.equal(hostName(host), name, JSON.stringify(host))
})

void t.test('the site of a host, and the name of the handshake', async (test) => {
  const own = 'tideoffice.blob.tide.example'
  const rows: [serverName: string | undefined, host: string, verdict: string][] = [
    [own, own, 'passed'],
    [undefined, own, 'passed'],
    [own, 'TideOffice.Blob.tide.example:8443', 'passed'],
    [own, `${own}.`, 'passed'],
    [own, 'payroll.tide.example', 'host-not-sni'],
    ['payroll.tide.example', own, 'host-not-sni'],
    ['', own, 'host-not-sni'],
    [own, 'nobody.example', 'host-not-sni'],
    ['nobody.example', 'nobody.example', 'host-unknown'],
    [undefined, 'nobody.example', 'host-unknown'],
    [undefined, 'blob.tide.example', 'host-unknown'],
    [undefined, `x${own}`, 'host-unknown'],
    [undefined, `x.${own}`, 'host-unknown'],
    [undefined, '*', 'http-malformed'],
    [undefined, '', 'http-malformed'],
    [own, 'a b', 'http-malformed'],
  ]
  for (const [serverName, host, verdict] of rows) test.equal(reasonOf(() => matchSite(sites, serverName, host)), verdict, `${serverName} ${host}`)
  test.equal(matchSite(sites, own, own), blob)
  test.equal(matchSite(sites, undefined, 'PAYROLL.tide.example'), apis)
  test.equal(String(refusalOf(() => matchSite(sites, undefined, 'a'.repeat(5000)))?.detail['host']).length, 253, 'no long name in the log')
  for (const name of ['__proto__', 'constructor', 'toString']) test.equal(reasonOf(() => matchSite(sites, undefined, name)), name === '__proto__' ? 'http-malformed' : 'host-unknown')
})

void t.test('APIs: the longest prefix, in whole segments of the decoded path', async (test) => {
  const rows: [path: string, name: string][] = [
    ['/v1', 'api/v1'], ['/v1/', 'api/v1'], ['/v1/x', 'api/v1'], ['/v10', 'api/v10'], ['/v10/x', 'api/v10'], ['/v1/reports', 'api/v1/reports'], ['/v1/reports/2026', 'api/v1/reports'], ['/v1/reportsx', 'api/v1'], ['/v1//reports', 'api/v1'],
  ]
  for (const [path, name] of rows) test.match(matchRoute(apis, path), { name }, path)
  for (const path of ['/', '/v', '/v2', '/v1x', '/V1', '//v1', '/x/v1', '']) test.equal(reasonOf(() => matchRoute(apis, path)), 'path-unknown', path)
  test.match(matchRoute(open, '/anything'), { name: 'api' })
  test.match(matchRoute(open, '/'), { name: 'api' })
  test.match(matchRoute(open, '/a/b'), { name: 'api/a' })
})

void t.test('a storage endpoint takes every path', async (test) => {
  for (const path of ['/', '/c/b', '/$root']) test.equal(matchRoute(blob, path), blob)
  test.notOk(isApis(blob))
  test.ok(isApis(apis))
})
