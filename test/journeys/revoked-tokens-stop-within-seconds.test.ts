// tidegate deny against a running gateway: the token stops, others go on, and what accept would refuse is counted.
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { signatureDigest } from '../../src/sas/denied.ts'
import { issue } from '../sas/second.ts'
import { MAIN, startGate, serveGate, writeConfiguration } from '../support/gate.ts'
import { ACCOUNT, createRealm, storageHost } from '../support/realm.ts'
import { askOnce, dial } from '../support/sockets.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'

const realm = await createRealm(t)
const upstream = await startUpstream(t, realm)
const KEY = Buffer.from(realm.key1, 'base64')
const END = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, '')

const token = (change: Readonly<Record<string, string>> = {}): string =>
  issue({ service: 'blob', account: ACCOUNT, path: '/c/b', params: Object.entries({ sv: '2025-05-05', se: END, sr: 'b', sp: 'r', spr: 'https', ...change }) }, KEY)
const sigOf = (query: string): string => new URLSearchParams(query).get('sig') ?? ''
const deny = (input: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [MAIN, 'deny', ...args], { encoding: 'utf8', input, cwd: realm.folder })

void t.test('by signature, policy and delegation key, while others go on', async (test) => {
  const file = realm.write('denied-tokens', '# none yet\n')
  const gate = await serveGate(test, realm, { storage: { blob: upstream.port }, storageOptions: { sas: { deny: 'denied-tokens' } } })
  const status = async (query: string): Promise<[number, string | undefined]> => {
    const reply = await askOnce(test, gate, `GET /c/b?${query}`)
    return [reply.status, reply.header('x-tidegate-reason')]
  }
  const revoked = token(), other = token({ sp: 'rl' }), named = token({ si: 'readers', sp: 'rw' })
  for (const query of [revoked, other, named]) test.strictSame(await status(query), [200, undefined])
  const url = `https://${storageHost('blob')}/c/b?${revoked}`
  const run = deny(`${url}\n\n${url}\n`, '--config', 'tidegate.yaml', '-')
  test.match(run, { status: 0, stdout: `sig ${signatureDigest(sigOf(revoked))}\n`, stderr: /1 added/ })
  test.notOk((run.stdout + run.stderr).includes(sigOf(revoked)), 'no signature comes out')
  await until(async () => (await status(revoked))[1] === 'sas-denied', 'the token is revoked')
  for (const query of [other, named]) test.strictSame(await status(query), [200, undefined])
  test.match(deny('', '-c', 'tidegate.yaml', '--identifier', `${ACCOUNT}/readers`), { status: 0, stdout: `si ${ACCOUNT} readers\n` })
  await until(async () => (await status(named))[1] === 'sas-denied', 'the policy is revoked')
  test.strictSame(await status(other), [200, undefined])
  test.match(readFileSync(file, 'utf8'), /^# none yet\nsig [0-9a-f]{64}\nsi tideoffice readers\n$/)
  test.ok(await gate.metric('tidegate_sas_total', { account: ACCOUNT, outcome: 'sas-denied' }) >= 2)
})

void t.test('a missing file is made, what is there already is not added again, a faulty file is left alone', async (test) => {
  await writeConfiguration(realm, { storage: { blob: upstream.port }, storageOptions: { sas: { deny: 'new-file' } }, limits: { connections: 'no number' } })
  const file = join(realm.folder, 'new-file')
  test.match(deny('', '--config', 'tidegate.yaml', '--delegation-key', 'oid/2026-12-01T00:00:00Z', '--json'), { status: 0, stdout: /"added":\["udk oid 2026-12-01T00:00:00Z"\],"present":\[\]/ })
  test.equal(statSync(file).mode & 0o777, 0o640)
  test.match(deny('', '--config', 'tidegate.yaml', '--delegation-key', 'OID/2026-12-01', '--json'), { status: 0, stdout: /"added":\[\],"present":\["udk OID 2026-12-01"\]/ })
  test.equal(readFileSync(file, 'utf8'), 'udk oid 2026-12-01T00:00:00Z\n')
  writeFileSync(file, 'udk oid 2026-12-01T00:00:00Z\nnot a rule')
  test.match(deny('', '--config', 'tidegate.yaml', '--identifier', `${ACCOUNT}/x`), { status: 2, stdout: '', stderr: /storage\.sas\.deny: .*line 2 is no rule/ })
  test.equal(readFileSync(file, 'utf8'), 'udk oid 2026-12-01T00:00:00Z\nnot a rule')
})

void t.test('wrong usage names no token', async (test) => {
  await writeConfiguration(realm, { storage: { blob: upstream.port } })
  const query = token()
  for (const args of [[], ['-'], ['--config', 'tidegate.yaml'], ['--config', '-', '-'], ['--config', 'tidegate.yaml', `https://x/c?${query}`], ['--config', 'tidegate.yaml', '-', '--identifier', 'a/b'],
    ['--config', 'tidegate.yaml', '-'], ['--config', 'none.yaml', '-'], ['--config', 'tidegate.yaml', '--identifier', 'noslash']]) {
    const run = deny(`https://x/c?${query}\n`, ...args)
    test.match(run, { status: 2, stdout: '' }, args.join(' '))
    test.notOk(run.stderr.includes(sigOf(query)), args.join(' '))
  }
  await writeConfiguration(realm, { storage: { blob: upstream.port }, storageOptions: { sas: { deny: 'other' } } })
  test.match(deny('https://x/c?sp=r\n', '--config', 'tidegate.yaml', '-'), { status: 2, stderr: /standard input, line 1: .*no shared access signature/ })
  test.match(deny('\n', '--config', 'tidegate.yaml', '-'), { status: 2, stderr: /no URL/ })
  const check = spawnSync(process.execPath, [MAIN, 'check', '--config', 'tidegate.yaml'], { encoding: 'utf8', cwd: realm.folder })
  test.match(check, { status: 2, stderr: /storage\.sas\.deny: .*does not exist/ }, 'a missing file is a fault')
})

void t.test('a copy source is revoked too, and accept in mode report carries and counts', async (test) => {
  const source = token({ sp: 'rd' })
  realm.write('denied-tokens', `sig ${signatureDigest(sigOf(source))}\n`)
  const gate = await startGate(test, realm, { storage: { blob: upstream.port }, storageOptions: { sas: { deny: 'denied-tokens', accept: { maxLifetime: '10m', mode: 'report' } } } })
  const client = await dial(test, gate)
  const copy = await client.ask(`PUT /c/b?${token({ sp: 'w' })}`, [`x-ms-copy-source: https://${storageHost('blob')}/c/b?${source}`, 'content-length: 0'])
  test.strictSame([copy.status, copy.header('x-tidegate-reason'), copy.header('x-ms-error-code')], [403, 'sas-denied', 'AuthenticationFailed'])
  test.equal((await client.ask(`GET /c/b?${token()}`)).status, 200)
  test.equal(await gate.metric('tidegate_sas_would_refuse_total', { account: ACCOUNT, reason: 'sas-lifetime' }), 1)
  test.match((await gate.requests(2))[1], { wouldRefuse: 'sas-lifetime', sas: 'unchanged' })
})

void t.test('accept refuses what lives too long, in the shape of the service', async (test) => {
  const gate = await startGate(test, realm, { storage: { blob: upstream.port }, storageOptions: { sas: { accept: { maxLifetime: '10m' } } } })
  const reply = await (await dial(test, gate)).ask(`GET /c/b?${token()}`)
  test.strictSame([reply.status, reply.header('x-tidegate-reason'), reply.header('x-ms-error-code')], [403, 'sas-lifetime', 'AuthenticationFailed'])
  test.equal(await gate.metric('tidegate_sas_total', { account: ACCOUNT, kind: 'service', outcome: 'sas-lifetime' }), 1)
})
