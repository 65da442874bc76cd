// The swanctl.conf that `network write` writes for a site, in strongSwan: it loads, it builds a tunnel in which the office's
// inner address is seen, and a wrong key builds none. The other end is strongSwan too; Azure's own gateway is not shown.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { networkFiles } from '../../src/network/written.ts'
import { GROUND, SITE } from '../network/sample.ts'
import { TunnelEnd, until, withoutTunnels } from '../support/tunnel-ends.ts'

const skip = withoutTunnels()
const AZURE = '203.0.113.1'
const KEY = SITE.key !== undefined && 'text' in SITE.key ? SITE.key.text : ''

/** The peer's own words, not derived from ours. */
const PEER = `connections {
  office {
    version = 2
    local_addrs = ${AZURE}
    proposals = aes256gcm16-prfsha384-ecp384
    local { auth = psk }
    remote { auth = psk
      id = 198.51.100.7 }
    children { net { local_ts = 10.11.0.0/16
      remote_ts = 10.50.0.0/24
      esp_proposals = aes256gcm16-ecp384 } }
  }
}
secrets { ike-office { secret = "${KEY}" } }
`
const ECHO = 'import socket\ns = socket.create_server(("10.11.1.10", 8080))\nwhile True:\n  c, a = s.accept()\n  c.sendall(a[0].encode())\n  c.close()\n'
const ASK = 'import socket\nprint(socket.create_connection(("10.11.1.10", 8080), 2, ("10.50.0.9", 0)).recv(99).decode())\n'

async function twoEnds(test: Test, key: string): Promise<{ office: TunnelEnd; azure: TunnelEnd }> {
  // A Unix socket's path has room for 107 bytes: tap's own folders are longer.
  const folder = mkdtempSync(join(tmpdir(), 'tg-'))
  test.teardown(() => rmSync(folder, { recursive: true }))
  const office = new TunnelEnd({ name: 'o', folder: join(folder, 'office'), outer: '198.51.100.7', inner: '10.50.0.9' })
  test.teardown(() => office.stop())
  const azure = new TunnelEnd({ name: 'a', folder: join(folder, 'azure'), outer: AZURE, inner: '10.11.1.10' })
  test.teardown(() => azure.stop())
  office.wire(azure)
  await Promise.all([office.start(), azure.start()])
  writeFileSync(join(folder, 'azure/peer.conf'), PEER)
  test.equal(azure.load(join(folder, 'azure/peer.conf')).code, 0)
  const site = join(folder, 'sites/genoa')
  mkdirSync(site, { recursive: true })
  writeFileSync(join(site, 'swanctl.conf'), (networkFiles(GROUND).get('sites/genoa/swanctl.conf') ?? '').replaceAll('VPN_GATEWAY_ADDRESS', AZURE))
  writeFileSync(join(site, 'secrets.conf'), `secrets { ike-azure { secret = "${key}" } }\n`)
  const loaded = office.load(join(site, 'swanctl.conf'))
  test.match(loaded, { code: 0, stdout: /loaded connection 'azure'/ }, 'the file as written loads')
  return { office, azure }
}

void t.test('a tunnel with the policy of the plan, and the inner address at its other end', { skip, timeout: 180_000 }, async (test) => {
  const { office, azure } = await twoEnds(test, KEY)
  await until('the tunnel is up', () => /INSTALLED/.test(office.associations()))
  test.match(office.associations(), /AES_GCM_16-256\/PRF_HMAC_SHA2_384\/ECP_384[^]*local +10\.50\.0\.0\/24[^]*remote +10\.11\.0\.0\/16/)
  azure.spawn('python3', ['-c', ECHO])
  let seen = ''
  await until('traffic passes', () => (seen = office.run('python3', ['-c', ASK]).stdout.trim()) !== '')
  test.equal(seen, '10.50.0.9')
  test.match(azure.associations(), /in +\S+, +[1-9]\d* bytes/, 'it went through the tunnel')
})

void t.test('a wrong key: AUTH_FAILED, no tunnel, no traffic', { skip, timeout: 180_000 }, async (test) => {
  const { office, azure } = await twoEnds(test, `${KEY}x`)
  await until('the peer has refused', () => /AUTH_FAILED/.test(office.log()))
  test.notMatch(office.associations(), /INSTALLED/)
  azure.spawn('python3', ['-c', ECHO])
  test.not(office.run('python3', ['-c', ASK]).code, 0)
})
