// Every rule of contract section 4 about targets: what passes keeps its bytes, what two readers could read differently ends here.
import { array, assert, constantFrom, property } from 'fast-check'
import t from 'tap'
import { QUERY_LIMIT, parseTarget } from '../../src/azure/target.ts'
import { reasonOf, refusalOf } from '../support/verdict.ts'

const HOST = 'tideoffice.blob.tide.example'

void t.test('what passes keeps its bytes', async (test) => {
  const rows: [raw: string, path: string, query: string | undefined, decoded: string][] = [
    ['/', '/', undefined, '/'],
    ['/?', '/', '', '/'],
    ['/c/b', '/c/b', undefined, '/c/b'],
    ['/c/b?x=1?y=2', '/c/b', 'x=1?y=2', '/c/b'],
    ['/c/b?a=%2', '/c/b', 'a=%2', '/c/b'],
    ['/c/b?..%2f&%zz', '/c/b', '..%2f&%zz', '/c/b'],
    ['/c//b', '/c//b', undefined, '/c//b'],
    ['/c/b//', '/c/b//', undefined, '/c/b//'],
    ['/c/%2Fb', '/c/%2Fb', undefined, '/c//b'],
    ['/%2f', '/%2f', undefined, '//'],
    ['/c/a%5Cb', '/c/a%5Cb', undefined, '/c/a\\b'],
    ['/c/a%20b+c', '/c/a%20b+c', undefined, '/c/a b+c'],
    ['/c/%c3%a4%E2%82%AC', '/c/%c3%a4%E2%82%AC', undefined, '/c/ä€'],
    ['/c/%F0%9F%8C%8A', '/c/%F0%9F%8C%8A', undefined, '/c/🌊'],
    ['/c/%3Fx%23y', '/c/%3Fx%23y', undefined, '/c/?x#y'],
    ['/c/%252e%252e/b', '/c/%252e%252e/b', undefined, '/c/%2e%2e/b'],
    ['/c/...', '/c/...', undefined, '/c/...'],
    ['/c/.hidden/a.', '/c/.hidden/a.', undefined, '/c/.hidden/a.'],
    ['/c/..b', '/c/..b', undefined, '/c/..b'],
    ['/$root/~!*\'();:@&=,[]{}|"<>^`', '/$root/~!*\'();:@&=,[]{}|"<>^`', undefined, '/$root/~!*\'();:@&=,[]{}|"<>^`'],
    [`/?${'q'.repeat(QUERY_LIMIT)}`, '/', 'q'.repeat(QUERY_LIMIT), '/'],
  ]
  for (const [raw, path, query, decodedPath] of rows) test.strictSame(parseTarget(raw, HOST), { path, query, decodedPath }, raw.slice(0, 60))
})

void t.test('absolute-form passes where its authority is Host, without regard to case', async (test) => {
  const rows: [raw: string, host: string, path: string, query: string | undefined][] = [
    [`https://${HOST}/c/b?x=1`, HOST, '/c/b', 'x=1'],
    [`HTTPS://${HOST.toUpperCase()}/c`, HOST, '/c', undefined],
    [`https://${HOST}:8443/c`, `${HOST}:8443`, '/c', undefined],
    [`https://${HOST}`, HOST, '/', undefined],
    [`https://${HOST}?x=//`, HOST, '/', 'x=//'],
  ]
  for (const [raw, host, path, query] of rows) test.match(parseTarget(raw, host), { path, query }, raw)
  const refused = [
    `http://${HOST}/c`, 'https://other.example/c', `https://${HOST}:8443/c`, `https://user@${HOST}/c`, `https:/${HOST}/c`, `https:///${HOST}/c`,
    `https://${HOST}//c`, `ftp://${HOST}/c`, `//${HOST}/c`, `${HOST}:443`, `https://${HOST}./c`, `https://${HOST}/../c`,
  ]
  for (const raw of refused) test.equal(reasonOf(() => parseTarget(raw, HOST)), 'target-ambiguous', raw)
})

void t.test('what two readers could read differently is refused', async (test) => {
  const refused = [
    // forms
    '', '*', 'c/b', '?x', './c', '\\c', '%2Fc',
    // leading slashes
    '//', '//c/b', '///',
    // dot segments, in every spelling
    '/.', '/..', '/./', '/../', '/c/.', '/c/..', '/c/./b', '/c/../b', '/%2e', '/%2E%2e', '/c/.%2e/b', '/c/%2e./b', '/c/%2e%2E%2fb', '/c%2f..%2fb', '/c%5C..%5Cb', '/..%5Cb', '/c/..%2F',
    // backslash, blank, control and other bytes, raw, in path and query
    '/c\\b', '/c?x=\\', '/c b', '/c?x= y', '/c\tb', '/c?\t', '/c\0', '/c?\0', '/c\x7f', '/c?\x7f', '/cä', '/c?ä', '/c?\xff', '/c\u2028', '/c#f', '/c?x#f', '/c\r\nb', '/c?\n',
    // control characters after one decoding
    '/c%00', '/c%0a', '/c%0D%0Ab', '/c%09', '/c%1f', '/c%7F',
    // malformed escapes, bad and overlong UTF-8, surrogates
    '/c%', '/c%2', '/c%zz', '/c%u0041', '/c%ff', '/c%c3', '/c%c3%28', '/c%c0%ae', '/c%c0%ae%c0%ae/', '/c%e0%80%af', '/c%ed%a0%80', '/c%f4%90%80%80',
  ]
  for (const raw of refused) test.equal(reasonOf(() => parseTarget(raw, HOST)), 'target-ambiguous', encodeURIComponent(raw))
})

void t.test('a query over the limit is too large, and no refusal repeats the target', async (test) => {
  test.equal(reasonOf(() => parseTarget(`/?${'q'.repeat(QUERY_LIMIT + 1)}`, HOST)), 'headers-too-large')
  for (const raw of ['/secret%', '/secret b', '/..?secret', `/?secret${'q'.repeat(QUERY_LIMIT)}`]) {
    test.notMatch(JSON.stringify(refusalOf(() => parseTarget(raw, HOST))?.detail ?? raw), /secret/)
  }
})

void t.test('for any printable target: the bytes kept, or a refusal', async (test) => {
  const alphabet = '/ . . % % \\ ? # & = + ~ a F 0 2 e E 5 c é \0'.split(' ').concat(' ')
  assert(property(array(constantFrom(...alphabet), { maxLength: 24 }), (parts) => {
    const raw = `/${parts.join('')}`
    if (reasonOf(() => parseTarget(raw, HOST)) !== 'passed') return
    const { path, query, decodedPath } = parseTarget(raw, HOST)
    if (raw !== (query === undefined ? path : `${path}?${query}`)) throw new Error('bytes were changed')
    if (decodedPath.split(/[/\\]/).some((part) => part === '.' || part === '..')) throw new Error('a dot segment passed')
    if (decodedPath !== decodeURIComponent(path)) throw new Error('decoded otherwise than once')
    // The WHATWG reader must see the same path; what it would repair must not have passed.
    if (new URL(`https://h${path}`).pathname.replaceAll(/%[0-9a-f]{2}/gi, '%') !== path.replaceAll(/["<>`{}^|]|%[0-9a-f]{2}/gi, '%')) throw new Error('another reader reads another path')
  }), { numRuns: 3000 })
  test.pass('3000 targets')
})
