// Copy and rename sources: URLs that the service itself fetches. Each is verified and tightened with its own account's key,
// the gate's names in it become the service's, and what is neither https nor known is refused. An edit under a Shared Key
// signature is signed anew, which code that shares nothing with the gate's checks here.
import { createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import { issue, pairsOf, secondAccepts, type Service } from '../sas/second.ts'
import { far, startGate, type GateHere } from '../support/gate.ts'
import { ACCOUNT, createRealm, SERVICES, storageHost, upstreamHost } from '../support/realm.ts'
import { dial } from '../support/sockets.ts'
import { startUpstream, type Message } from '../support/upstream.ts'

const CLOCK = Date.parse('2026-11-24T06:40:00Z')
const OTHER = 'tidestore'
const KEYLESS = 'tidelost'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm, { names: [upstreamHost('blob', OTHER), upstreamHost('blob', KEYLESS)] })
const KEY = Buffer.from(realm.key1, 'base64')
const OTHER_KEY = Buffer.alloc(64, 8)
realm.write('other', OTHER_KEY.toString('base64'))

const account = (name: string, keys: readonly string[], services: readonly (typeof SERVICES)[number][] = ['blob']): object => ({ name, keys, ...Object.fromEntries(services.map((service) => [service, far(realm, upstreamHost(service, name), upstream.port)])) })

function start(test: Test, options: Readonly<Record<string, unknown>> = {}, own: readonly string[] = ['key1', 'key2']): Promise<GateHere> {
  return startGate(test, realm, {
    accounts: [account(ACCOUNT, own, SERVICES), account(OTHER, ['other']), account(KEYLESS, [])], storageOptions: options, clock: () => CLOCK,
    names: [storageHost('blob', OTHER), storageHost('blob', KEYLESS)],
  })
}

const gate = await start(t)

const common = { sv: '2025-05-05', se: '2026-11-25T00:00:00Z', sp: 'r', sr: 'b' }
const SOURCE = '/ledgers/a%20b.csv'
const path = '/ledgers/a b.csv'
const tokenOf = (more: Readonly<Record<string, string>> = {}, name = OTHER, key = OTHER_KEY, service: Service = 'blob'): string => issue({ service, account: name, path, params: Object.entries({ ...common, ...more }) }, key)

interface Copy {
  readonly service?: (typeof SERVICES)[number]
  readonly field?: string
  readonly line?: string
  readonly headers?: readonly string[]
  readonly at?: GateHere
}

/** Asks for a copy; the request at the upstream, or the reply that refused it. */
async function copy(source: string, { service = 'blob', field = 'x-ms-copy-source', line = 'PUT /copies/to', headers = [], at = gate }: Copy = {}): Promise<{ reply: Message; seen: Message | undefined }> {
  const client = await dial(t, at, { servername: storageHost(service) })
  const before = upstream.seen.length
  const reply = await client.ask(line, [`Host: ${storageHost(service)}`, 'x-ms-version: 2025-05-05', `${field}: ${source}`, 'Content-Length: 0', 'x-ms-meta-last: z', ...headers])
  client.close()
  return { reply, seen: upstream.seen[before] }
}

const FAR = `${upstreamHost('blob', OTHER)}:${upstream.port}`
const NAMES: readonly (readonly [name: string, shown: string])[] = [
  [storageHost('blob', OTHER), FAR], [`${storageHost('blob', OTHER)}:8443`, FAR], [`${storageHost('blob', OTHER).toUpperCase()}.`, FAR],
  [FAR, FAR], [`${OTHER}.blob.core.windows.net`, `${OTHER}.blob.core.windows.net`], [`${OTHER}-secondary.blob.core.windows.net`, `${OTHER}-secondary.blob.core.windows.net`],
]

for (const [name, shown] of NAMES) {
  void t.test(`a source at ${name}`, async (test) => {
    for (const more of [{}, { spr: 'https,http' }]) {
      const { reply, seen } = await copy(`https://${name}${SOURCE}?snapshot=2026-11-01T00:00:00.0000000Z&${tokenOf(more)}`)
      test.equal(reply.status, 200)
      const source = seen?.header('x-ms-copy-source') ?? ''
      test.ok(source.startsWith(`https://${shown}${SOURCE}?snapshot=2026-11-01T00:00:00.0000000Z&`), source)
      const query = source.slice(source.indexOf('?') + 1)
      test.strictSame(pairsOf(query).filter(([key]) => key === 'spr' || key === 'sip'), [['spr', 'https']], 'https-only')
      test.ok(secondAccepts({ service: 'blob', account: OTHER, path }, query, [OTHER_KEY]), 'by the key of its own account')
      test.equal(reply.header('x-tidegate-sas'), undefined, 'which speaks of the request\'s own token')
    }
    const closed = tokenOf({ spr: 'https' })
    for (const query of [`?${closed}`, '', '?snapshot=x', '?']) test.equal((await copy(`https://${name}${SOURCE}${query}`)).seen?.header('x-ms-copy-source'), `https://${shown}${SOURCE}${query}`, 'nothing but the name')
  })
}

void t.test('each operation that names a source', async (test) => {
  const token = tokenOf()
  for (const [line, ...headers] of [
    ['PUT /c/b'], ['PUT /c/b', 'x-ms-requires-sync: true'], ['PUT /c/b', 'x-ms-blob-type: BlockBlob'], ['PUT /c/b?comp=block&blockid=AAAA', 'x-ms-source-range: bytes=0-1'], ['PUT /c/b?comp=appendblock'], ['PUT /c/b?comp=page', 'x-ms-range: bytes=0-511'], ['PUT /c/b?comp=incrementalcopy'],
    ['PUT /c/b', 'x-ms-copy-source-authorization: Bearer x.y.z'],
  ] as const) {
    const { seen } = await copy(`https://${storageHost('blob', OTHER)}${SOURCE}?${token}`, { line, headers })
    test.match(seen?.header('x-ms-copy-source'), new RegExp(`^https://${FAR}${SOURCE}\\?.*&spr=https&sig=`), line)
    for (const header of headers) test.ok(seen?.headerLines.includes(header), header)
  }
  const file = await copy(`https://${storageHost('file')}/share/a?${issue({ service: 'file', account: ACCOUNT, path: '/share/a', params: Object.entries({ ...common, sr: 'f' }) }, KEY)}`, { service: 'file', field: 'X-Ms-File-Rename-Source', line: 'PUT /share/b?comp=rename' })
  const renamed = file.seen?.headers.find(([name]) => name === 'X-Ms-File-Rename-Source')?.[1] ?? ''
  test.ok(renamed.startsWith(`https://${upstreamHost('file')}:${upstream.port}/share/a?`))
  test.ok(secondAccepts({ service: 'file', account: ACCOUNT, path: '/share/a' }, renamed.slice(renamed.indexOf('?') + 1), [KEY]))
  test.match(renamed, /&spr=https&/)
})

void t.test('a rename in dfs names a path without a host', async (test) => {
  const field = 'x-ms-rename-source'
  const dfs = { service: 'dfs', field, line: 'PUT /lake/to' } as const
  const { seen } = await copy(`${SOURCE}?${tokenOf({}, ACCOUNT, KEY)}`, dfs)
  const source = seen?.header(field) ?? ''
  test.ok(source.startsWith(`${SOURCE}?`))
  test.ok(secondAccepts({ service: 'dfs', account: ACCOUNT, path }, source.slice(source.indexOf('?') + 1), [KEY]))
  test.match(source, /&spr=https&/)
  for (const same of [SOURCE, '/lake/%E4%B8%83', `${SOURCE}?${tokenOf({ spr: 'https' }, ACCOUNT, KEY)}`, '/lake/a?x=y']) test.equal((await copy(same, dfs)).seen?.header(field), same)
  for (const [source_, reason] of [
    ['lake/a', 'copy-source-unknown'], [`https://${storageHost('dfs')}/lake/a`, 'copy-source-unknown'], ['//evil/a', 'copy-source-unknown'], ['/lake/../other/a', 'copy-source-unknown'], ['/lake/%2e%2e/a', 'copy-source-unknown'], ['/lake/a#b', 'copy-source-unknown'], ['/lake\\a', 'copy-source-unknown'], ['/a b', 'copy-source-unknown'],
    [`${SOURCE}?${tokenOf({}, OTHER, OTHER_KEY)}`, 'sas-signature'], [`${SOURCE}?${tokenOf({}, ACCOUNT, KEY)}&sp=rw`, 'sas-duplicate'],
  ] as const) {
    const { reply, seen: none } = await copy(source_, dfs)
    test.equal(reply.header('x-tidegate-reason'), reason, source_)
    test.equal(none, undefined)
  }
})

void t.test('refused: what is not https, what nobody knows, what could be read in two ways', async (test) => {
  const known = storageHost('blob', OTHER)
  for (const [source, reason] of [
    [`http://${known}${SOURCE}?${tokenOf()}`, 'copy-source-plaintext'], [`HTTP://${known}/c/b`, 'copy-source-plaintext'], ['http://anybody.example/', 'copy-source-plaintext'], [`http://${OTHER}.blob.core.windows.net/c/b`, 'copy-source-plaintext'],
    ['https://evil.example/c/b', 'copy-source-unknown'], ['https://169.254.169.254/metadata', 'copy-source-unknown'], ['https://[::1]/', 'copy-source-unknown'], ['https://stranger.blob.core.windows.net/c/b', 'copy-source-unknown'], [`https://${known}.evil.example/c/b`, 'copy-source-unknown'], [`https://x${known}/c/b`, 'copy-source-unknown'],
    [`https://user@${known}/c/b`, 'copy-source-unknown'], [`https://user:secret@${known}/c/b`, 'copy-source-unknown'], [`https://${known}@evil.example/c/b`, 'copy-source-unknown'], [`https://evil.example\\@${known}/c/b`, 'copy-source-unknown'], [`https://${known}%2eevil.example/c/b`, 'copy-source-unknown'],
    [`ftp://${known}/c/b`, 'copy-source-unknown'], [`//${known}/c/b`, 'copy-source-unknown'], ['/c/b', 'copy-source-unknown'], [`https:/${known}/c/b`, 'copy-source-unknown'], [`https:${known}/c/b`, 'copy-source-unknown'], [` ${known}`, 'copy-source-unknown'], ['https://', 'copy-source-unknown'], [`https://${known}:port/c/b`, 'copy-source-unknown'],
    [`https://${known}/c/../d`, 'copy-source-unknown'], [`https://${known}/c/%2E%2e/d?${tokenOf()}`, 'copy-source-unknown'], [`https://${known}//c/b?x`, 'copy-source-unknown'], [`https://${known}/c/%zz?x`, 'copy-source-unknown'], [`https://${known}/c/b%00?x`, 'copy-source-unknown'], [`https://${known}/c/b#?${tokenOf()}`, 'copy-source-unknown'], [`https://${known}/c/b\xe9`, 'copy-source-unknown'], [`https://${known}/a b`, 'copy-source-unknown'],
  ] as const) {
    const { reply, seen } = await copy(source)
    test.match([reply.status, reply.header('x-tidegate-reason'), reply.header('x-ms-error-code')], [400, reason, 'CannotVerifyCopySource'], source)
    test.match(reply.text, /<HeaderName>x-ms-copy-source<\/HeaderName>/)
    test.equal(seen, undefined, 'nothing is sent upstream')
  }
})

void t.test('a path trick without a query is refused as well', async (test) => {
  for (const trick of ['/c/../d', '/c/%2e%2e/d', '//c/d', '/c/%zz', '/c/d%00']) {
    const { reply } = await copy(`https://${storageHost('blob', OTHER)}${trick}`)
    test.equal(reply.header('x-tidegate-reason'), 'copy-source-unknown', trick)
  }
})

void t.test('a source token that does not hold is refused with its own reason', async (test) => {
  const source = `https://${storageHost('blob', OTHER)}${SOURCE}`
  for (const [query, reason, status] of [
    [tokenOf({}, OTHER, KEY), 'sas-signature', 403], [tokenOf({}, ACCOUNT, KEY), 'sas-signature', 403], [tokenOf().replace('sp=r', 'sp=rwd'), 'sas-signature', 403], [`${tokenOf()}&sig=x`, 'sas-duplicate', 400], [tokenOf({ se: '2026-11-24T06:39:59Z' }), 'sas-expired', 403], [tokenOf({ st: '2026-11-24T07:00:00Z' }), 'sas-not-yet', 403],
    [tokenOf({ sip: '10.0.0.1' }), 'copy-source-unknown', 400], [tokenOf({ sip: '127.0.0.1' }), 'copy-source-unknown', 400], [tokenOf({ spr: 'https', sip: '127.0.0.0-127.0.0.9' }), 'copy-source-unknown', 400],
    [tokenOf({ spr: 'http' }), 'sas-protocol-value', 400], [tokenOf({ sv: '2012-02-12' }), 'sas-version', 403], [tokenOf({ sr: 'd' }), 'sas-resource', 403], [`${tokenOf()}&ss=b`, 'sas-mixed', 400], [tokenOf().replace('sv=', 'SV='), 'sas-malformed', 400],
  ] as const) {
    const { reply, seen } = await copy(`${source}?${query}`)
    test.match([reply.status, reply.header('x-tidegate-reason')], [status, reason])
    test.equal(seen, undefined)
    test.notMatch(reply.text, /sig=|AQ/, 'the reply shows nothing of it')
  }
  test.equal((await copy(`https://${storageHost('blob', OTHER)}/ledgers/other?${tokenOf()}`)).reply.header('x-tidegate-reason'), 'sas-signature', 'for another blob')
})

void t.test('a source without a key follows the policy', async (test) => {
  const open = `https://${storageHost('blob', KEYLESS)}${SOURCE}?${tokenOf({}, KEYLESS)}`
  const closed = `https://${storageHost('blob', KEYLESS)}${SOURCE}?${tokenOf({ spr: 'https' }, KEYLESS)}`
  for (const [withoutKey, passes] of [['refuse', []], ['pass-if-https', [closed]], ['pass', [closed, open]]] as const) {
    const own = await start(test, { sas: { withoutKey } })
    for (const source of [open, closed]) {
      const { reply, seen } = await copy(source, { at: own })
      if ((passes as readonly string[]).includes(source)) test.equal(seen?.header('x-ms-copy-source'), source.replace(storageHost('blob', KEYLESS), `${upstreamHost('blob', KEYLESS)}:${upstream.port}`), `${withoutKey}: the token as it came`)
      else test.match([reply.status, reply.header('x-tidegate-reason')], [403, 'sas-no-key'])
    }
    test.equal(await own.metric('tidegate_sas_total', { account: KEYLESS, outcome: 'passed-unverified' }), passes.length)
  }
})

void t.test('any-https: strangers may be named, over https, and their tokens follow the policy', async (test) => {
  const stranger = 'https://files.partner.example:444/a/b'
  for (const [withoutKey, bare, open, closed] of [['refuse', true, false, false], ['pass-if-https', true, false, true], ['pass', true, true, true]] as const) {
    const own = await start(test, { copySources: 'any-https', sas: { withoutKey } })
    for (const [source, passes] of [[stranger, bare], [`${stranger}?x=y`, bare], [`${stranger}?${tokenOf()}`, open], [`${stranger}?${tokenOf({ spr: 'https' })}`, closed]] as const) {
      const { reply, seen } = await copy(source, { at: own })
      if (passes) test.equal(seen?.header('x-ms-copy-source'), source)
      else test.match([reply.status, reply.header('x-tidegate-reason')], [403, 'sas-no-key'], source)
    }
    for (const [source, reason] of [[stranger.replace('https', 'http'), 'copy-source-plaintext'], ['https://user@partner.example/a', 'copy-source-unknown'], ['/a/b', 'copy-source-unknown'], [`https://${storageHost('blob', OTHER)}${SOURCE}?${tokenOf({}, OTHER, KEY)}`, 'sas-signature']] as const) {
      test.equal((await copy(source, { at: own })).reply.header('x-tidegate-reason'), reason, source)
    }
  }
})

/** The string to sign of spec/sas.md 16.1 for a request of these fields, written for this test alone. */
function sharedKey(request: Message, key: Buffer): string {
  const of = (name: string): string => request.header(name) ?? ''
  const own = request.headers.map(([name, value]) => [name.toLowerCase(), value]).filter(([name = '']) => name.startsWith('x-ms-')).toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))
  const [where = '', query = ''] = request.target.split('?')
  const parameters = pairsOf(query).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `\n${name.toLowerCase()}:${value}`)
  const length = of('content-length') === '0' ? '' : of('content-length')
  const lines = [request.method, of('content-encoding'), of('content-language'), length, of('content-md5'), of('content-type'), of('x-ms-date') === '' ? of('date') : '', of('if-modified-since'), of('if-match'), of('if-none-match'), of('if-unmodified-since'), of('range')]
  const text = `${lines.join('\n')}\n${own.map((pair) => `${pair.join(':')}\n`).join('')}/${ACCOUNT}${where}${parameters.join('')}`
  return `SharedKey ${ACCOUNT}:${createHmac('sha256', key).update(text).digest('base64')}`
}

interface Signed { readonly source: string; readonly key?: Buffer; readonly date?: string; readonly dateField?: string; readonly more?: readonly string[] }

/** A copy signed by a client. */
async function signedCopy(at: GateHere, { source, key = KEY, date = new Date(CLOCK).toUTCString(), dateField = 'x-ms-date', more = [] }: Signed): Promise<{ reply: Message; seen: Message | undefined; sent: readonly string[] }> {
  const fields = ['x-ms-version: 2025-05-05', `${dateField}: ${date}`, 'Content-Type: application/octet-stream', 'X-Ms-Copy-Source: ' + source, 'Content-Length: 0', 'x-ms-meta-a: z', ...more]
  const line = 'PUT /copies/to%20b?timeout=30&comp=block'
  const unsigned = { method: 'PUT', target: line.slice(4), headers: fields.map((field) => [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 2)]), header: (name: string) => fields.find((field) => field.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 2) } as never
  const client = await dial(t, at)
  const before = upstream.seen.length
  const sent = [`Host: ${storageHost('blob')}`, ...fields, `Authorization: ${sharedKey(unsigned, key)}`, 'User-Agent: tests']
  const reply = await client.ask(line, sent)
  client.close()
  return { reply, seen: upstream.seen[before], sent }
}

void t.test('an edit under a Shared Key signature is signed anew; without an edit it stays', async (test) => {
  const source = `https://${storageHost('blob', OTHER)}${SOURCE}?${tokenOf()}`
  for (const key of [KEY, Buffer.from(realm.key2, 'base64')]) {
    const { reply, seen, sent } = await signedCopy(gate, { source, key, date: new Date(CLOCK - 14 * 60_000).toUTCString() })
    test.equal(reply.status, 200)
    test.equal(seen?.header('authorization'), sharedKey(seen as Message, key), 'right, by the key that the client used')
    test.not(seen?.header('authorization'), sent.find((line) => line.startsWith('Authorization'))?.slice(15))
    test.equal(seen?.header('x-ms-date'), new Date(CLOCK).toUTCString(), 'now')
    test.match(seen?.header('x-ms-copy-source'), /&spr=https&sig=/)
    test.strictSame(seen?.headers.map(([name]) => name), ['Host', 'x-ms-version', 'x-ms-date', 'Content-Type', 'X-Ms-Copy-Source', 'Content-Length', 'x-ms-meta-a', 'Authorization', 'User-Agent', 'Via'], 'in their order')
  }
  const dated = await signedCopy(gate, { source, dateField: 'Date' })
  test.equal(dated.seen?.header('authorization'), sharedKey(dated.seen as Message, KEY))
  test.match([dated.seen?.header('date'), dated.seen?.header('x-ms-date')], [undefined, new Date(CLOCK).toUTCString()])

  for (const same of [`https://${OTHER}.blob.core.windows.net${SOURCE}?${tokenOf({ spr: 'https' })}`, `https://${FAR}${SOURCE}`]) {
    const { seen, sent } = await signedCopy(gate, { source: same, key: Buffer.alloc(64) })
    test.equal(seen?.header('authorization'), sent.find((line) => line.startsWith('Authorization'))?.slice(15), 'not looked at: the service will')
  }
})

void t.test('what cannot be signed anew is refused', async (test) => {
  const source = `https://${storageHost('blob', OTHER)}${SOURCE}?${tokenOf()}`
  const keyless = await start(test, {}, [])
  for (const [at, wish] of [
    [keyless, { source }], [keyless, { source: `https://${storageHost('blob', OTHER)}${SOURCE}` }], [gate, { source, key: Buffer.alloc(64, 3) }], [gate, { source, date: new Date(CLOCK - 16 * 60_000).toUTCString() }], [gate, { source, date: new Date(CLOCK + 16 * 60_000).toUTCString() }], [gate, { source, date: 'yesterday' }],
  ] as const) {
    const { reply, seen } = await signedCopy(at, wish)
    test.match([reply.status, reply.header('x-tidegate-reason'), reply.header('x-ms-error-code')], [403, 'shared-key-signature', 'AuthenticationFailed'])
    test.equal(seen, undefined)
  }
  const fine = await signedCopy(keyless, { source: `https://${FAR}${SOURCE}?${tokenOf({ spr: 'https' })}` })
  test.equal(fine.reply.status, 200, 'nothing to edit needs no key')
})

void t.test('bearer tokens and a SAS of the request itself stand an edit', async (test) => {
  const source = `https://${storageHost('blob', OTHER)}${SOURCE}?${tokenOf()}`
  const bearer = await copy(source, { headers: ['Authorization: Bearer x.y.z'] })
  test.match([bearer.seen?.header('authorization'), bearer.seen?.header('x-ms-copy-source')], ['Bearer x.y.z', /&spr=https&sig=/])
  test.strictSame(bearer.seen?.headers.map(([name]) => name), ['Host', 'x-ms-version', 'x-ms-copy-source', 'Content-Length', 'x-ms-meta-last', 'Authorization', 'Via'])
  const own = issue({ service: 'blob', account: ACCOUNT, path: '/copies/to', params: Object.entries({ ...common, sp: 'cw' }) }, KEY)
  const both = await copy(source, { line: `PUT /copies/to?${own}` })
  test.equal(both.reply.header('x-tidegate-sas'), 'tightened')
  test.ok(secondAccepts({ service: 'blob', account: ACCOUNT, path: '/copies/to' }, both.seen?.target.split('?')[1] ?? '', [KEY]))
  test.match(both.seen?.header('x-ms-copy-source'), /&spr=https&sig=/)
})

void t.test('where the request\'s own token signs the field, it is not edited under it', async (test) => {
  const secret = Buffer.alloc(32, 7)
  realm.write('udk.json', JSON.stringify({ signedObjectId: 'oid', signedTenantId: 'tid', signedStartsOn: '2026-11-24T00:00:00Z', signedExpiresOn: '2026-11-30T00:00:00Z', signedService: 'b', signedVersion: '2026-04-06', value: secret.toString('base64') }))
  const own = await startGate(test, realm, {
    accounts: [{ ...account(ACCOUNT, ['key1']), userDelegationKeys: ['udk.json'] }, account(OTHER, ['other'])], names: [storageHost('blob', OTHER)], clock: () => CLOCK,
  })
  for (const [source, srh, passes] of [
    [`https://${FAR}${SOURCE}?${tokenOf({ spr: 'https' })}`, 'x-ms-copy-source', true], [`https://${FAR}${SOURCE}?${tokenOf()}`, 'x-ms-copy-source', false], [`https://${storageHost('blob', OTHER)}${SOURCE}`, 'X-Ms-Copy-Source,x-ms-version', false], [`https://${FAR}${SOURCE}?${tokenOf()}`, 'x-ms-version', true],
  ] as const) {
    const headers = { [srh.split(',')[0] ?? '']: source, 'x-ms-version': '2025-05-05' }
    const params = Object.entries({ ...common, sv: '2026-04-06', sp: 'cw', skoid: 'oid', sktid: 'tid', skt: '2026-11-24T00:00:00Z', ske: '2026-11-30T00:00:00Z', sks: 'b', skv: '2026-04-06', srh })
    const token = issue({ service: 'blob', account: ACCOUNT, path: '/copies/to', params, headers: srh === 'x-ms-version' ? { 'x-ms-version': '2025-05-05' } : headers }, secret)
    const { reply, seen } = await copy(source, { line: `PUT /copies/to?${token}`, at: own })
    if (passes) test.match([reply.status, reply.header('x-tidegate-sas'), seen?.header('x-ms-copy-source')], [200, 'tightened', /&spr=https/])
    else test.match([reply.status, reply.header('x-tidegate-reason'), seen], [400, 'copy-source-unknown', undefined], srh)
  }
})

void t.test('the signature in a returned copy source is hidden', async (test) => {
  const sources = ['https://a.example/b?sv=1&sig=SECRET%3D&x=1', 'http://a.example/b?sig=SECRET', 'https://a.example/b?SIG=SECRET#f', 'https://a.example/b?s%69g=SECRET&%73%49%47=SECRET']
  for (const source of sources) {
    upstream.script((turn) => turn.reply(200, [`X-Ms-Copy-Source: ${source}`, 'x-ms-copy-status: success', 'x-ms-other: a?sig=kept']))
    const client = await dial(test, gate)
    const reply = await client.ask('HEAD /c/b')
    test.equal(reply.header('x-ms-copy-source'), source.replaceAll(/SECRET(?:%3D)?/g, 'REDACTED'))
    test.equal(reply.header('x-ms-other'), 'a?sig=kept')
  }
  upstream.script((turn) => turn.reply())
})

void t.test('no line shows a source\'s signature, and each source is counted for its own account', async (test) => {
  test.notOk(gate.text.some((line) => /sig=(?!REDACTED)/.test(line)))
  test.ok(await gate.metric('tidegate_sas_total', { account: OTHER, kind: 'service', outcome: 'tightened' }) > 0)
  test.equal(await gate.metric('tidegate_refusals_total', { reason: 'unexpected' }), 0)
})
