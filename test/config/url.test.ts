import { test } from 'tap'
import { isLoopback, readConnect, readUrl } from '../../src/config/url.ts'

await test('URLs come apart', async (t) => {
  t.strictSame(readUrl('https://Tide.Example'), { origin: 'https://tide.example', host: 'tide.example', hostname: 'tide.example', port: 443, path: '' })
  t.strictSame(readUrl('https://tide.example:443/'), { origin: 'https://tide.example', host: 'tide.example', hostname: 'tide.example', port: 443, path: '' })
  t.strictSame(readUrl('https://tide.example:8443/a/b/'), { origin: 'https://tide.example:8443', host: 'tide.example:8443', hostname: 'tide.example', port: 8443, path: '/a/b' })
  t.strictSame(readUrl('http://[::1]:10000/tideoffice'), { origin: 'http://[::1]:10000', host: '[::1]:10000', hostname: '::1', port: 10_000, path: '/tideoffice' })
  t.strictSame(readUrl('https://tide.example/a%20b'), { origin: 'https://tide.example', host: 'tide.example', hostname: 'tide.example', port: 443, path: '/a%20b' })
  t.ok(Object.isFrozen(readUrl('https://tide.example')))
})

await test('URLs that are refused, in words that hold nothing of them', async (t) => {
  const table: [string, string][] = [
    ['https://user:secret@tide.example', 'a URL with a user name'],
    ['https://tide.example/?sig=secret', 'a URL with a query'],
    ['https://tide.example?', 'a URL with a query'],
    ['https://tide.example/#secret', 'a URL with a fragment'],
    ['ftp://tide.example', 'text that is no https URL'],
    ['tide.example', 'text that is no https URL'],
    ['https:tide.example', 'text that is no https URL'],
    ['https:///tide.example', 'text that is no https URL'],
    ['https://', 'text that is no https URL'],
    ['AccountName=a;AccountKey=secret', 'text that is no https URL'],
    ['https://tide.example:0', 'a URL with port 0'],
    ['https://tide.example:99999', 'text that is no https URL'],
    ...['/a/../b', '/./a', '/%2e%2E/a', '/a//b', '/a%2Fb', '/a\\b', '/a b', '/ä'].map(
      (path): [string, string] => [`https://tide.example${path}`, 'a URL with a path that can be read in more than one way']),
  ]
  for (const [text, found] of table) t.equal(readUrl(text), found, text)
})

await test('HOST:PORT', async (t) => {
  t.strictSame(readConnect('10.1.0.4:443'), { host: '10.1.0.4', port: 443 })
  t.strictSame(readConnect('Emulator:10000'), { host: 'emulator', port: 10_000 })
  t.strictSame(readConnect('[::1]:443'), { host: '::1', port: 443 })
  for (const text of ['10.1.0.4', '::1:443', '[10.1.0.4]:443', '[::1]', 'a:0', 'a:65536', 'a b:1', ':443', 'a:', 'https://a:1', '[:::]:1']) t.equal(readConnect(text), undefined, text)
})

await test('loopback', async (t) => {
  for (const host of ['localhost', '127.0.0.1', '127.255.0.1', '::1']) t.ok(isLoopback(host), host)
  for (const host of ['127.example', 'localhost.example', '10.0.0.1', '::2', '0.0.0.0', '::']) t.notOk(isLoopback(host), host)
})
