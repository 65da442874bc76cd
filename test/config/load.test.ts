import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { assert, asyncProperty, base64String, constantFrom, oneof, string, uint8Array } from 'fast-check'
import { t as root, test } from 'tap'
import { sayFindings } from '../../src/cli/voice.ts'
import type { Fault } from '../../src/config/fault.ts'
import { ConfigFaults, loadConfig } from '../../src/config/load.ts'
import { createAuthority } from '../support/authority.ts'

const now = Date.now()
const authority = await createAuthority({ name: 'Tide test' })
const [gateway, second, client] = await Promise.all([
  authority.issue({ names: ['gateway.tide.example'] }),
  authority.issue({ names: ['second.tide.example'], key: 'rsa2048' }),
  authority.issue({ names: ['client.tide.example'], clientAuth: true }),
])

const accountKey = randomBytes(64)
const FILES: Record<string, string> = {
  'certs/gateway.pem': gateway.cert, 'certs/gateway.key': gateway.key,
  'certs/second.pem': second.cert, 'certs/second.key': second.key,
  'certs/client.pem': client.cert, 'certs/client.key': client.key,
  'certs/ca.pem': authority.pem,
  'secrets/key1': `${accountKey.toString('base64')}\n`, 'secrets/key2': randomBytes(64).toString('base64'),
}

const TEXT = `
listen: { tls: { port: 0 } }
tls:
  certificates:
    - { cert: certs/gateway.pem, key: certs/gateway.key }
    - { cert: certs/second.pem, key: certs/second.key }
storage:
  domain: storage.tide.example
  accounts:
    - { name: tideoffice, keys: [secrets/key1, secrets/key2], blob: { url: "https://a.example", ca: certs/ca.pem } }
    - { name: keyless, blob: "https://b.example" }
apis:
  - { name: payroll, host: payroll.tide.example, upstream: "https://p.example", ca: certs/ca.pem, clientCertificate: { cert: certs/client.pem, key: certs/client.key } }
`

/** A folder of its own with these files beside the usual ones. Returns the configuration's path. */
function folder(text = TEXT, files: Record<string, string | undefined> = {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'tidegate-load-'))
  root.teardown(() => rmSync(directory, { recursive: true }))
  for (const [name, content] of Object.entries({ ...FILES, 'tidegate.yaml': text, ...files })) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    if (content !== undefined) writeFileSync(join(directory, name), content, { mode: 0o600 })
  }
  return join(directory, 'tidegate.yaml')
}

const load = (file: string, at = now) => loadConfig(file, { environment: {}, now: at })

async function faultsOf(file: string, at = now): Promise<readonly Fault[]> {
  try {
    await load(file, at)
  } catch (error) {
    if (error instanceof ConfigFaults) return error.faults
    throw error
  }
  return []
}

await test('a configuration with all that it names', async (t) => {
  const file = folder()
  const at = (name: string) => join(dirname(file), name)
  const loaded = await load(file)
  t.equal(loaded.file, file)
  t.strictSame(loaded.credentials.map((c) => c.names), [['gateway.tide.example'], ['second.tide.example']])
  t.strictSame([...loaded.clientCredentials].map(([name, c]) => [name, c.names]), [['payroll', ['client.tide.example']]])
  t.strictSame([...loaded.accountKeys].map(([name, keys]) => [name, keys.length]), [['tideoffice', 2], ['keyless', 0]])
  t.strictSame(loaded.accountKeys.get('tideoffice')?.[0]?.export(), accountKey, 'newest first')
  t.strictSame([...loaded.trust.keys()], [at('certs/ca.pem')])
  t.equal(loaded.config.storage?.accounts[0]?.blob?.ca, at('certs/ca.pem'), 'the key of trust')
  t.strictSame(loaded.warnings, [])
  t.strictSame(loaded.files.toSorted(), Object.keys(FILES).map(at).toSorted())
  t.match(loaded.digest, /^[0-9a-f]{64}$/)
  t.equal((await load(folder())).digest, loaded.digest, 'the same in another directory')
})

await test('files that cannot be used, each with its path', async (t) => {
  const table: [Record<string, string | undefined>, string, string, string][] = [
    [{ 'certs/gateway.pem': undefined }, 'tls.certificates[0].cert', 'certs/gateway.pem', 'does not exist'],
    [{ 'certs/second.key': undefined }, 'tls.certificates[1].key', 'certs/second.key', 'does not exist'],
    [{ 'certs/gateway.pem': 'x' }, 'tls.certificates[0].cert', 'certs/gateway.pem', 'no PEM'],
    [{ 'certs/gateway.key': second.key }, 'tls.certificates[0].key', 'certs/gateway.key', 'a key that does not fit the certificate'],
    [{ 'certs/client.key': second.key }, 'apis[0].clientCertificate.key', 'certs/client.key', 'a key that does not fit the certificate'],
    [{ 'secrets/key2': undefined }, 'storage.accounts[0].keys[1]', 'secrets/key2', 'does not exist'],
    [{ 'secrets/key2': 'AAAA' }, 'storage.accounts[0].keys[1]', 'secrets/key2', 'too short a key'],
    [{ 'secrets/key1': '' }, 'storage.accounts[0].keys[0]', 'secrets/key1', 'an empty file'],
  ]
  for (const [files, path, name, found] of table) {
    const removed = Object.entries(files).flatMap(([key, content]) => content === undefined ? [key] : [])
    const file = folder(TEXT, files)
    for (const key of removed) rmSync(join(dirname(file), key), { force: true })
    t.match(await faultsOf(file), [{ path, found: found === 'does not exist' ? found : `${join(dirname(file), name)}: ${found}` }], `${path} ${found}`)
  }
  const file = folder(TEXT, { 'certs/ca.pem': 'x' })
  t.match(await faultsOf(file), [{ path: 'storage.accounts[0].blob.ca', found: /: no PEM$/ }, { path: 'apis[0].ca' }], 'a file that is named twice is told twice')
})

await test('faults of the text and of all files together', async (t) => {
  const file = folder(TEXT.replace('port: 0', 'port: 99999').replace('secrets/key2', 'secrets/none'), { 'certs/gateway.key': second.key, 'certs/ca.pem': '' })
  t.strictSame((await faultsOf(file)).map((f) => f.path), [
    'listen.tls.port', 'storage.accounts[0].keys[1]', 'tls.certificates[0].key', 'storage.accounts[0].blob.ca', 'apis[0].ca',
  ], 'the text, what cannot be read, what cannot be used')
})

await test('time', async (t) => {
  const faults = await faultsOf(folder(), now + 100 * 86_400_000)
  t.strictSame(faults.map((f) => f.path), ['tls.certificates[0].cert', 'tls.certificates[1].cert', 'apis[0].clientCertificate.cert'])
  t.match(faults[0]?.found, /a certificate that expired at/)
})

await test('the configuration itself', async (t) => {
  t.match(await faultsOf('/nowhere/tidegate.yaml'), [{ path: '/nowhere/tidegate.yaml', found: 'does not exist', allowed: 'a file that can be read' }])
  const file = folder('listen: [')
  t.match(await faultsOf(file), [{ path: new RegExp(`^${file}:1:\\d+$`) }])
})

await test('secrets that others can read are a warning that names them', async (t) => {
  const file = folder()
  for (const name of Object.keys(FILES)) chmodSync(join(dirname(file), name), 0o644)
  const { warnings } = await load(file)
  t.strictSame(warnings.map((w) => w.path), ['tls.certificates[0].key', 'tls.certificates[1].key', 'storage.accounts[0].keys[0]', 'storage.accounts[0].keys[1]', 'apis[0].clientCertificate.key'])
  t.equal(warnings[2]?.found, `${join(dirname(file), 'secrets/key1')}: others can read or write it`)
  for (const name of Object.keys(FILES)) chmodSync(join(dirname(file), name), 0o640)
  t.strictSame((await load(file)).warnings, [])
})

await test('warnings of certificates come with their path', async (t) => {
  const long = await authority.issue({ names: ['long.tide.example'], days: 500 })
  const { warnings } = await load(folder(TEXT, { 'certs/second.pem': long.cert, 'certs/second.key': long.key }))
  t.match(warnings, [{ path: 'tls.certificates[1].cert', found: /second\.pem: a certificate that is valid for 500 days$/ }])
})

await test('the example loads, with the files that it names', async (t) => {
  const text = readFileSync(new URL('../../config/tidegate.example.yaml', import.meta.url), 'utf8')
  const loaded = await load(folder(text, {
    'certs/private-ca.pem': authority.pem, 'certs/internal-ca.pem': authority.pem, 'certs/gateway-client.pem': client.cert, 'certs/gateway-client.key': client.key,
  }))
  t.strictSame(loaded.warnings, [])
  t.equal(loaded.accountKeys.get('tideoffice')?.length, 2)
})

// The file of the benchmark against nginx, as its driver fills it in.
const BENCHMARK = `
listen:
  tls: { host: 127.0.0.1, port: 18443 }
workers: 1
tls:
  certificates:
    - { cert: "CERTS/gateway.pem", key: "CERTS/gateway.key" }
storage:
  domain: localhost
  accounts:
    - name: benchaccount
      keys: ["CERTS/../secrets/key1"]
      blob: { url: "https://storage.test:19443", connect: "127.0.0.1:19443", ca: "CERTS/ca.pem" }
limits: { connections: 20000 }
`

await test('the benchmark file loads', async (t) => {
  const file = folder()
  writeFileSync(file, BENCHMARK.replaceAll('CERTS', join(dirname(file), 'certs')))
  t.match((await load(file)).config, {
    storage: { accounts: [{ name: 'benchaccount', blob: { url: { origin: 'https://storage.test:19443' }, connect: { host: '127.0.0.1', port: 19_443 } } }] },
    limits: { connections: 20_000 },
  })
})

await test('nothing of a secret file is ever in a fault', async (t) => {
  const file = folder()
  const secret = oneof(
    uint8Array({ minLength: 9, maxLength: 100 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    string({ minLength: 12, maxLength: 100, unit: 'binary' }),
    base64String({ minLength: 12, maxLength: 100 }).map((text) => `-----BEGIN PRIVATE KEY-----\n${text}\n-----END PRIVATE KEY-----`),
    base64String({ minLength: 12, maxLength: 100 }).map((text) => `${text}!\n${text}`),
  )
  await t.resolves(assert(asyncProperty(secret, constantFrom('secrets/key1', 'secrets/key2', 'certs/gateway.key', 'certs/client.key'), async (content, name) => {
    writeFileSync(join(dirname(file), name), content)
    let said = ''
    try {
      await load(file)
    } catch (error) {
      if (!(error instanceof ConfigFaults)) throw error
      said = `${sayFindings(error, file)} ${error.stack ?? ''} ${JSON.stringify(error)}`
    }
    writeFileSync(join(dirname(file), name), FILES[name] ?? '')
    // Twelve characters of it would be too many (docs: the threat model's reader of logs).
    for (const piece of content.replaceAll(/-----[A-Z ]+-----/g, '').split(/\s+/).filter((p) => p.length >= 12)) {
      for (let i = 0; i + 12 <= piece.length; i++) if (said.includes(piece.slice(i, i + 12))) return false
    }
    return true
  }), { numRuns: 200 }))
})
