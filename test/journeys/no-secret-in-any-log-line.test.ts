// Signatures, keys, tokens and SAS, in every place of a request where they can stand: none of it in any line, at the most
// talkative level, in any metric or in any reply of ours. And each line is one JSON object.
import { createHmac, randomBytes } from 'node:crypto'
import t from 'tap'
import { far, serveGate } from '../support/gate.ts'
import { createRealm, storageHost, upstreamHost } from '../support/realm.ts'
import { dial, dialPlain } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const API = 'api.localhost'
const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const gate = await serveGate(t, realm, {
  storage: { blob: upstream.port, table: upstream.port }, apis: [{ name: 'payroll', host: API, upstream: far(realm, upstreamHost('blob'), upstream.port) }], names: [API], level: 'trace',
})

const PART = 12
const secrets: string[] = []

/** A signature that a real token could have, with every odd character of base64. */
function secret(): string {
  let text = ''
  while (!text.includes('/') || !text.includes('+')) text = randomBytes(32).toString('base64')
  secrets.push(text)
  return text
}

const escaped = (text: string): string => encodeURIComponent(text)

function signed(): string {
  const to = '2099-01-01T00:00:00Z'
  const sig = createHmac('sha256', Buffer.from(realm.key1, 'base64')).update(['r', '', to, '/blob/tideoffice/c/b', '', '', '', '2020-02-10', 'b', '', '', '', '', '', ''].join('\n')).digest('base64')
  secrets.push(sig)
  return `sv=2020-02-10&se=${to}&sr=b&sp=r&sig=${escaped(sig)}`
}

const SAS = 'sv=2020-02-10&se=2099-01-01T00:00:00Z&sr=b&sp=r'
const good = signed()

const TARGETS: Readonly<Record<string, () => string>> = {
  'a good SAS': () => `/c/b?${good}`,
  'a bad SAS': () => `/c/b?${SAS}&sig=${escaped(secret())}`,
  'sig raw': () => `/c/b?${SAS}&sig=${secret()}`,
  'sig first': () => `/c/b?sig=${escaped(secret())}&${SAS}`,
  'sig alone': () => `/c/b?sig=${escaped(secret())}`,
  'sig twice': () => `/c/b?${SAS}&sig=${escaped(secret())}&sig=${escaped(secret())}`,
  'Sig in other letters': () => `/c/b?${SAS}&SiG=${escaped(secret())}`,
  'an encoded name': () => `/c/b?${SAS}&s%69g=${escaped(secret())}`,
  'behind a semicolon': () => `/c/b?${SAS};sig=${escaped(secret())}`,
  'without a name': () => `/c/b?${escaped(secret())}`,
  'as a name': () => `/c/b?T${secret().replaceAll(/[^\w]/g, '_').slice(1, 31)}=1`,
  'in a value that is not sig': () => `/c/b?${SAS}&x=${escaped(`https://a/?sig=${secret()}`)}`,
  'as a token': () => `/c/b?access_token=${escaped(secret())}&code=${escaped(secret())}`,
  'as a password': () => `/c/b?password=${escaped(secret())}`,
  'in a path': () => `/c/b%3F${escaped(`${SAS}&sig=${secret()}`)}`,
  'in a path, the equals sign raw': () => `/c/b%3Fsig=${escaped(secret())}`,
  'in a path, all raw': () => `/c/sig=${secret()}/b`,
  'in a path with dots': () => `/c/../sig=${secret()}`,
  'in a path, escaped twice': () => `/c/b%253F${escaped(escaped(`sig=${secret()}`))}`,
  'in a target that is too long': () => `/c/b?sig=${escaped(secret())}&x=${'y'.repeat(9000)}`,
  'in absolute form': () => `https://${storageHost('blob')}/c/b?${SAS}&sig=${escaped(secret())}`,
  'in absolute form of another': () => `https://other/c/b?${SAS}&sig=${escaped(secret())}`,
  'as user of an absolute form': () => `https://user:${secret().replaceAll('/', '')}@${storageHost('blob')}/c/b`,
  'behind a hash': () => `/c/b#sig=${escaped(secret())}`,
  'behind a backslash': () => `/c/b\\?sig=${escaped(secret())}`,
}

const FIELDS: Readonly<Record<string, () => string>> = {
  'Shared Key': () => `Authorization: SharedKey tideoffice:${secret()}`,
  'bearer': () => `Authorization: Bearer ${secret()}`,
  'basic': () => `Authorization: Basic ${secret()}`,
  'a copy source': () => `x-ms-copy-source: https://tideoffice.blob.core.windows.net/c/b?${SAS}&sig=${escaped(secret())}`,
  'a copy source over http': () => `x-ms-copy-source: http://tideoffice.blob.core.windows.net/c/b?${SAS}&sig=${escaped(secret())}`,
  'a copy source elsewhere': () => `x-ms-copy-source: https://u:${secret().replaceAll('/', '')}@evil.example/c/b?sig=${escaped(secret())}`,
  'a copy source that is none': () => `x-ms-copy-source: ${secret()}`,
  'the token for a copy source': () => `x-ms-copy-source-authorization: Bearer ${secret()}`,
  'a rename source': () => `x-ms-rename-source: /c/b?${SAS}&sig=${escaped(secret())}`,
  'a file rename source': () => `x-ms-file-rename-source: https://tideoffice.file.core.windows.net/c/b?sig=${escaped(secret())}`,
  'a cookie': () => `Cookie: session=${secret()}`,
  'a referer': () => `Referer: https://a/?sig=${escaped(secret())}`,
  'an encryption key': () => `x-ms-encryption-key: ${secret()}`,
  'a proxy authorization': () => `Proxy-Authorization: Basic ${secret()}`,
  'an expectation': () => `Expect: ${secret()}`,
  'Via': () => `Via: 1.1 ${secret().replaceAll('/', '')}`,
  'a coding': () => `Transfer-Encoding: ${secret()}`,
  'a length': () => `Content-Length: ${secret()}`,
  'an odd name': () => `${secret().replace(/[^a-z]/gi, '')}: 1`,
}

void t.test('requests with a secret in their target', async (test) => {
  for (const [name, target] of Object.entries(TARGETS)) {
    for (const host of [storageHost('blob'), storageHost('table'), API]) {
      const client = await dial(test, gate, { servername: host })
      const reply = await client.ask(`GET ${target()}`, [`Host: ${host}`])
      test.ok(reply.status > 0, name)
      if (reply.header('x-tidegate-reason') !== undefined) hidesAll(test, client.text, `the reply to ${name}`)
      client.close()
    }
  }
})

void t.test('requests with a secret in a field', async (test) => {
  for (const [name, field] of Object.entries(FIELDS)) {
    for (const host of [storageHost('blob'), API]) {
      const client = await dial(test, gate, { servername: host })
      const reply = await client.ask('PUT /c/b', [`Host: ${host}`, field()])
      test.ok(reply.status > 0, name)
      if (reply.header('x-tidegate-reason') !== undefined) hidesAll(test, client.text, `the reply to ${name}`)
      client.close()
    }
  }
})

void t.test('secrets in Host, in plaintext, in what is no HTTP, and behind upstream faults', async (test) => {
  for (const head of [
    `GET /?sig=${escaped(secret())} HTTP/1.1\r\nHost: ${secret()}\r\n\r\n`, `GET /?sig=${escaped(secret())} HTTP/1.1\r\n\r\n`, `${secret()} / HTTP/1.1\r\n\r\n`, `GET /?sig=${escaped(secret())} HTTP/7.7\r\n\r\n`,
    `CONNECT ${secret()}:443 HTTP/1.1\r\nHost: a\r\n\r\n`, `\x01${secret()}\r\n\r\n`,
  ]) {
    const client = await dial(test, gate)
    await client.send(head)
    await until(() => client.bytes.length > 0 || client.ending !== undefined, 'an answer')
    hidesAll(test, client.text, 'its reply')
    client.close()
  }
  for (const port of [gate.port, gate.plainPort]) {
    const client = await dialPlain(test, port)
    await client.send(`GET /c/b?sig=${escaped(secret())} HTTP/1.1\r\nHost: ${storageHost('blob')}\r\nAuthorization: Bearer ${secret()}\r\n\r\n`)
    test.equal(await client.ended(), 'fin')
    test.match(client.text, /AccountRequiresHttps/)
    hidesAll(test, client.text, 'the reply to plaintext')
    const odd = await dialPlain(test, port)
    await odd.send(`\x05${secret()}\r\n`)
    await odd.ended()
  }
  upstream.script((turn) => turn.write(`HTTP/1.1 200 OK\r\nContent-Length: ${secret()}\r\nLocation: http://a/?sig=${secret()}\r\n\r\n`))
  for (const host of [storageHost('blob'), API]) {
    const client = await dial(test, gate, { servername: host })
    const reply = await client.ask(`GET /c/b?${good}`, [`Host: ${host}`])
    test.equal(reply.status, 502)
    hidesAll(test, client.text, 'the reply to an upstream fault')
  }
})

void t.test('no line, no metric and no status shows any of them, nor a key of the account', async (test) => {
  const [metrics, status, page] = await Promise.all([gate.admin('/metrics'), gate.admin('/status'), gate.admin('/')])
  await gate.stop()
  test.ok(gate.text.length > 100, `${gate.text.length} lines`)
  for (const line of gate.text) {
    const read: unknown = JSON.parse(line)
    if (typeof read !== 'object' || read === null) test.fail(`not an object: ${line}`)
    if (/[\x00-\x1f\x7f]/.test(line)) test.fail(`a raw control character: ${JSON.stringify(line)}`)
  }
  test.strictSame([...new Set(gate.lines().map(({ msg }) => msg))].filter((msg) => !['listening', 'request', 'refused', 'draining', 'stopped', 'configuration'].includes(msg)), [], 'no client text as msg')
  hidesAll(test, gate.text.join('\n'), 'the log')
  hidesAll(test, `${metrics.text}\n${status.text}\n${page.text}`, 'metrics, status and its page')
  hidesAll(test, gate.errors(), 'standard error')
})

/** No run of twelve characters of any secret, raw or escaped once or twice, stands in the text. */
function hidesAll(test: typeof t | { fail(message: string): boolean; pass(message: string): boolean }, text: string, where: string): void {
  for (const whole of [...secrets, realm.key1, realm.key2]) {
    for (const form of [whole, escaped(whole), escaped(escaped(whole)), whole.replace(/[^a-z]/gi, '')]) {
      for (let at = 0; at + PART <= form.length; at++) {
        const part = form.slice(at, at + PART)
        if (!text.includes(part)) continue
        const line = text.split('\n').find((one) => one.includes(part)) ?? ''
        test.fail(`${where} shows ${part}: ${line.slice(0, 600)}`)
        return
      }
    }
  }
  test.pass(`${where} shows nothing`)
}
