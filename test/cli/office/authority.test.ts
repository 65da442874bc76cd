// What `tidegate office` writes, looked at by openssl.
import { X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { t as root, test } from 'tap'
import { office, officeJson, officeOutput } from '../../support/office.ts'
import { output, run } from '../../support/programs.ts'

const folder = root.testdir({ 'pass': 'high tide\n', 'wrong': 'low tide\n', 'empty': '\n' })
const at = (name: string): string => join(folder, name)
const AUTHORITY = at('authority')
const WITH = ['--authority', AUTHORITY, '--passphrase-file', at('pass')]
officeOutput('init', ...WITH, '--name', 'Tide offices')

const verify = (...args: string[]) => run('openssl', ['verify', '-CAfile', join(AUTHORITY, 'ca.pem'), ...args])
const inForce = ['-crl_check', '-CRLfile', join(AUTHORITY, 'crl.pem')]
const text = (file: string): string => output('openssl', ['x509', '-in', file, '-noout', '-text'])
const shot = (): string => readdirSync(AUTHORITY).map((name) => `${name} ${readFileSync(join(AUTHORITY, name), 'base64')}`).join('\n')

await test('the root', async (t) => {
  t.strictSame(readdirSync(AUTHORITY).toSorted(), ['ca.pem', 'crl.pem', 'index.jsonl', 'root-1.key', 'root-1.pem'])
  t.equal(statSync(join(AUTHORITY, 'root-1.key')).mode & 0o777, 0o600)
  const written = text(join(AUTHORITY, 'root-1.pem'))
  for (const part of [/CA:TRUE, pathlen:0/, /Basic Constraints: critical/, /Key Usage: critical\s+Certificate Sign, CRL Sign/, /Subject: CN=Tide offices/, /Public-Key: \(2048 bit\)/, /sha256WithRSAEncryption/]) t.match(written, part)
  t.match(verify(join(AUTHORITY, 'root-1.pem')), { code: 0 })
  t.equal(run('openssl', ['pkey', '-in', join(AUTHORITY, 'root-1.key'), '-passin', `file:${at('pass')}`, '-noout']).code, 0)
  t.not(run('openssl', ['pkey', '-in', join(AUTHORITY, 'root-1.key'), '-passin', `file:${at('wrong')}`, '-noout']).code, 0)
  const shape = output('openssl', ['asn1parse', '-in', join(AUTHORITY, 'root-1.key')])
  for (const part of ['PBKDF2', '0927C0', 'hmacWithSHA256', 'aes-256-cbc']) t.match(shape, part)
  const before = shot()
  t.match(office('init', ...WITH), { code: 2, stderr: /holds an authority already/ })
  t.equal(shot(), before)
})

await test('a certificate of an office and one of a user', async (t) => {
  const made = officeJson('issue', 'genoa', ...WITH, '--out', at('out')) as { serial: string; sha1: string; cert: string; key: string }
  t.match(made, { cert: at('out/genoa.pem'), key: at('out/genoa.key') })
  t.equal(statSync(made.key).mode & 0o777, 0o600)
  t.match(verify(...inForce, '-purpose', 'sslclient', made.cert), { code: 0 })
  t.match(verify(...inForce, '-purpose', 'sslserver', made.cert), { code: 2, stderr: /unsuitable certificate purpose/ })
  const written = text(made.cert)
  t.match(written, /X509v3 Extended Key Usage: ?\n\s+TLS Web Client Authentication\n/)
  t.match(written, /Alternative Name: ?\n\s+URI:urn:tidegate:office:genoa\n/)
  t.match(written, /Key Usage: critical\s+Digital Signature\n/)
  t.match(written, /Authority Key Identifier/)
  t.equal(output('openssl', ['x509', '-in', made.cert, '-noout', '-serial']).trim(), `serial=${made.serial}`)
  t.equal(output('openssl', ['x509', '-in', made.cert, '-noout', '-fingerprint', '-sha1']).trim().replaceAll(':', '').split('=')[1], made.sha1)
  const days = (Date.parse(new X509Certificate(readFileSync(made.cert)).validTo) - Date.now()) / 86_400_000
  t.ok(days > 89.9 && days < 90.1, '90 days')
  officeOutput('issue', 'genoa', '--user', 'anna', ...WITH, '--key', 'p256', '--dns', 'anna.genoa.example', '--days', '1', '--out', at('out'))
  const user = text(at('out/genoa-anna.pem'))
  t.match(user, /Subject: CN=anna/)
  t.match(user, /URI:urn:tidegate:office:genoa, URI:urn:tidegate:office:genoa:anna, DNS:anna.genoa.example/)
  t.match(user, /prime256v1/)
})

await test('a request: its key, none of its names', async (t) => {
  const csr = (...key: string[]) => output('openssl', ['req', '-new', '-nodes', '-keyout', at('csr.key'), '-out', at('csr.pem'), '-subj', '/CN=mallory', '-addext', 'subjectAltName=URI:urn:tidegate:office:porto', ...key])
  csr('-newkey', 'rsa:2048')
  officeOutput('issue', 'savona', '--csr', at('csr.pem'), ...WITH, '--out', at('csr'))
  t.notOk(existsSync(at('csr/savona.key')))
  const written = text(at('csr/savona.pem'))
  t.match(written, /Subject: CN=savona/)
  t.notMatch(written, /mallory|porto/)
  t.equal(output('openssl', ['x509', '-in', at('csr/savona.pem'), '-noout', '-pubkey']), output('openssl', ['pkey', '-in', at('csr.key'), '-pubout']))
  const before = shot()
  csr('-newkey', 'rsa:1024')
  t.match(office('issue', 'savona', '--csr', at('csr.pem'), ...WITH, '--out', at('csr')), { code: 2, stderr: /RSA key of 1024 bits/ })
  csr('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1')
  t.match(office('issue', 'savona', '--csr', at('csr.pem'), ...WITH, '--out', at('csr')), { code: 2, stderr: /EC key on secp224r1/ })
  t.equal(shot(), before)
})

await test('what is not allowed leaves the folder as it was', async (t) => {
  const before = shot()
  const wrong: [string[], RegExp][] = [
    [['issue', 'genoa', '--authority', AUTHORITY, '--passphrase-file', at('wrong')], /the passphrase does not open root-1.key/],
    [['issue', 'genoa', '--authority', AUTHORITY, '--passphrase-file', at('empty')], /the passphrase is empty/],
    [['issue', 'genoa', '--authority', AUTHORITY], /a passphrase is needed/],
    [['issue', 'ge:noa', ...WITH], /the name of an office has/],
    [['issue', 'genoa', '--user', 'a/b', ...WITH], /the name of a user has/],
    [['issue', 'genoa', '--days', '398', ...WITH], /--days takes a whole number from 1 to 397/],
    [['issue', 'genoa', '--key', 'rsa1024', ...WITH], /--key takes rsa2048, p256/],
    [['issue', 'genoa', '--dns', '10.0.0.1', ...WITH], /is no DNS name/],
    [['issue', ...WITH], /missing: the name of the office/],
    [['issue', 'genoa', '--authority', at('nowhere'), '--passphrase-file', at('pass')], /is no authority/],
    [['issue', 'genoa', '--user', 'a', '--user', 'b', ...WITH], /--user is given twice/],
    [['renew', 'porto', ...WITH], /has no certificate to renew/],
    [['revoke', 'porto', ...WITH], /no certificate of porto is still valid/],
    [['revoke', '--serial', 'AA', ...WITH], /has the serial number AA/],
    [['root', '--drop', 'ABCDEF0123', '--authority', AUTHORITY], /no root of the authority/],
    [['list', '--authority', folder], /is no authority/],
  ]
  for (const [args, says] of wrong) {
    const { code, stderr, stdout } = office(...args)
    t.equal(code, 2, args.join(' '))
    t.match(stderr, says)
    t.notMatch(stderr + stdout, /tide\b.*high|low tide/)
  }
  t.equal(shot(), before)
  t.match(office('init', '--authority', folder, '--no-passphrase'), { code: 2, stderr: /is not empty/ })
})

await test('revoked: the list, the thumbprints, and nobody else', async (t) => {
  const first = officeJson('issue', 'porto', ...WITH, '--out', at('porto')) as { serial: string }
  officeOutput('issue', 'porto', '--user', 'ugo', ...WITH, '--out', at('porto'))
  const thumbs = officeOutput('revoke', 'porto', ...WITH, '--reason', 'keyCompromise')
  t.equal(thumbs, `${output('openssl', ['x509', '-in', at('porto/porto.pem'), '-noout', '-fingerprint', '-sha1']).trim().replaceAll(':', '').split('=')[1]}\n`)
  t.match(verify(...inForce, at('porto/porto.pem')), { stderr: /certificate revoked/ })
  for (const good of ['porto/porto-ugo.pem', 'out/genoa.pem']) t.match(verify(...inForce, at(good)), { code: 0 })
  const list = output('openssl', ['crl', '-in', join(AUTHORITY, 'crl.pem'), '-noout', '-text', '-CAfile', join(AUTHORITY, 'ca.pem')])
  for (const part of [/Authority Key Identifier/, /CRL Number: ?\n\s+2\n/, /Key Compromise/, new RegExp(first.serial, 'i')]) t.match(list, part)
  const listed = officeJson('list', '--authority', AUTHORITY) as { certificates: { serial: string; state: string; office: string; user: string | null }[] }
  t.match(listed.certificates.find(({ serial }) => serial === first.serial), { office: 'porto', user: null, state: 'revoked' })
  t.match(office('revoke', '--serial', first.serial, ...WITH), { code: 2, stderr: /is revoked already/ })
  const until = (officeJson('crl', ...WITH, '--days', '7') as { until: string }).until
  t.equal(output('openssl', ['crl', '-in', join(AUTHORITY, 'crl.pem'), '-noout', '-nextupdate', '-dateopt', 'iso_8601']).trim(), `nextUpdate=${until.replace('T', ' ').replace(/\.\d+/, '')}`)
})

await test('renewed: in the overlap both, then one', async (t) => {
  officeOutput('issue', 'lisbon', '--key', 'p256', '--dns', 'lisbon.example', ...WITH, '--out', at('one'))
  officeOutput('renew', 'lisbon', ...WITH, '--out', at('two'))
  const [one, two] = [at('one/lisbon.pem'), at('two/lisbon.pem')]
  for (const file of [one, two]) t.match(verify(...inForce, file), { code: 0 })
  t.match(text(two), /DNS:lisbon.example/)
  t.match(text(two), /prime256v1/)
  t.not(readFileSync(at('one/lisbon.key'), 'utf8'), readFileSync(at('two/lisbon.key'), 'utf8'))
  officeOutput('renew', 'lisbon', '--revoke-old', ...WITH, '--out', at('three'))
  for (const file of [one, two]) t.match(verify(...inForce, file), { stderr: /certificate revoked/ })
  t.match(verify(...inForce, at('three/lisbon.pem')), { code: 0 })
  const soon = officeJson('list', '--authority', AUTHORITY, '--expiring', '30') as { certificates: { office: string }[] }
  t.strictSame(soon.certificates.map(({ office: name }) => name), ['genoa'], 'only the one of a day')
})

await test('check', async (t) => {
  t.match(office('check', at('out/genoa.pem'), '--authority', AUTHORITY), { code: 0, stdout: /genoa.pem: ok, genoa/ })
  t.match(office('check', at('porto/porto.pem'), '--authority', AUTHORITY), { code: 1, stdout: /it is revoked/ })
  output('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('s.key'), '-out', at('s.pem'), '-subj', '/CN=x', '-addext', 'extendedKeyUsage=serverAuth'])
  const { code, stdout } = office('check', at('s.pem'), '--authority', AUTHORITY)
  t.equal(code, 1)
  for (const part of [/no root of the authority signed it/, /lacks clientAuth/, /no URI/]) t.match(stdout, part)
  t.match(office('check', at('pass')), { code: 2, stderr: /holds no certificate/ })
  t.match(office('check', '--authority', AUTHORITY), { code: 0, stdout: 'authority: ok\n' })
})

await test('for Azure', async (t) => {
  const line = officeOutput('root', '--authority', AUTHORITY, '--azure')
  t.match(line, /^[A-Za-z0-9+/=]+\n$/)
  writeFileSync(at('root.der'), Buffer.from(line, 'base64'))
  t.equal(output('openssl', ['x509', '-inform', 'der', '-in', at('root.der')]), officeOutput('root', '--authority', AUTHORITY))
})

await test('a second root, and the end of the first', async (t) => {
  const made = officeJson('root', '--new', ...WITH) as { file: string }
  t.equal(made.file, 'root-2.pem')
  officeOutput('issue', 'oslo', ...WITH, '--out', at('oslo'))
  for (const file of ['out/genoa.pem', 'oslo/oslo.pem']) t.match(verify(...inForce, at(file)), { code: 0 })
  t.equal(run('openssl', ['verify', '-CAfile', join(AUTHORITY, 'root-2.pem'), at('oslo/oslo.pem')]).code, 0, 'the new one signs')
  officeOutput('revoke', 'oslo', ...WITH)
  t.match(verify(...inForce, at('oslo/oslo.pem')), { stderr: /certificate revoked/ })
  t.match(verify(...inForce, at('porto/porto.pem')), { stderr: /certificate revoked/ })
  const { roots } = officeJson('root', '--authority', AUTHORITY) as { roots: { sha256: string; signs: boolean }[] }
  t.strictSame(roots.map(({ signs }) => signs), [false, true])
  t.match(office('root', '--drop', roots[0]?.sha256 ?? '', '--authority', AUTHORITY), { code: 0, stderr: /certificates of .*genoa/ })
  t.not(verify(at('out/genoa.pem')).code, 0)
  t.match(office('root', '--drop', roots[1]?.sha256 ?? '', '--authority', AUTHORITY), { code: 2, stderr: /is the only root/ })
  t.strictSame(readdirSync(AUTHORITY).toSorted(), ['ca.pem', 'crl.pem', 'index.jsonl', 'root-2.key', 'root-2.pem'])
  t.equal(readFileSync(join(AUTHORITY, 'crl.pem'), 'utf8').match(/BEGIN X509 CRL/g)?.length, 1)
})
