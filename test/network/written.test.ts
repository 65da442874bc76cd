// The files of `network write`: references that resolve, no secret, the same bytes, and a folder in which nothing foreign
// is touched.
import t from 'tap'
import type { Ground } from '../../src/network/ground.ts'
import { foreignFiles, listText, networkFiles, readList } from '../../src/network/written.ts'
import { GROUND } from './sample.ts'
import { templateFaults } from './arm-reader.ts'

const file = (ground: Ground, name: string): string => networkFiles(ground).get(name) ?? ''
const bare: Ground = { ...GROUND, plan: { ...GROUND.plan, subnets: GROUND.plan.subnets.slice(0, 2) }, roots: [], revoked: undefined }

void t.test('the template: every reference resolves, every parameter is declared and used', async (test) => {
  for (const ground of [GROUND, bare, { ...GROUND, plan: { ...GROUND.plan, pool: undefined, sites: [] } }]) test.strictSame(templateFaults(file(ground, 'azure/network.json')), [])
})

void t.test('the checker of references finds what is wrong', async (test) => {
  const text = file(GROUND, 'azure/network.json')
  for (const [from, to] of [['\'tide-hub\', \'GatewaySubnet\'', '\'tide-hub\', \'Gateway\''], ['parameters(\'sharedKey_genoa\')', 'parameters(\'sharedKey\')'], ['Microsoft.Network/localNetworkGateways\'', 'Microsoft.Network/localGateways\'']] as const) {
    test.not(templateFaults(text.replaceAll(from, to)).length, 0, to)
  }
})

void t.test('no file holds a shared key; the template asks for it as securestring', async (test) => {
  for (const [name, text] of networkFiles(GROUND)) test.notOk(text.includes('Zk3vQ9'), name)
  test.match(JSON.parse(file(GROUND, 'azure/network.json')), { parameters: { sharedKey_genoa: { type: 'securestring' }, sharedKey_oslo_2: { type: 'securestring' } } })
})

void t.test('no template touches a storage account', async (test) => {
  test.notMatch(file(GROUND, 'azure/network.json'), /Microsoft\.Storage/)
})

void t.test('the same input gives the same bytes', async (test) => {
  test.strictSame([...networkFiles(GROUND)], [...networkFiles(structuredClone(GROUND))])
})

void t.test('each file says that it was not run against Azure', async (test) => {
  for (const [name, text] of networkFiles(GROUND)) if (name !== 'dns.txt') test.match(text.slice(0, 600), /not run against Azure/, name)
})

void t.test('what goes where', async (test) => {
  test.strictSame([...networkFiles(GROUND).keys()], ['azure/network.json', 'azure/commands.sh', 'sites/genoa/swanctl.conf', 'sites/oslo-2/swanctl.conf', 'dns.txt', 'STEPS.md'])
  test.equal(file(GROUND, 'dns.txt'), '10.11.1.10 payroll.tide.example\n10.11.1.10 tideoffice.blob.storage.tide.example\n')
  test.match(file(GROUND, 'sites/genoa/swanctl.conf'), /^include secrets\.conf$[^]*remote_addrs = VPN_GATEWAY_ADDRESS[^]*proposals = aes256gcm16-prfsha384-ecp384[^]*local_ts = 10\.50\.0\.0\/24[^]*esp_proposals = aes256gcm16-ecp384/m)
  test.match(file(GROUND, 'sites/oslo-2/swanctl.conf'), /id = fqdn:vpn\.oslo\.example/)
  const commands = file(GROUND, 'azure/commands.sh')
  test.match(commands, /account update --name tideoffice .*--https-only true --min-tls-version TLS1_2 --default-action Deny .*--public-network-access Disabled/)
  test.match(commands, /revoked-cert create .*--thumbprint (?:AB){20}/)
  test.match(file(bare, 'azure/commands.sh'), /network-rule add --account-name tideoffice .*--ip-address 203\.0\.113\.7\n/)
})

void t.test('STEPS.md: eight and eleven steps, and what is missing', async (test) => {
  const steps = file(GROUND, 'STEPS.md')
  test.match(steps, /## Site-to-site[^]*\| 8 \| Verify the connection[^]*## Point-to-site[^]*\| 11 \| Verify the connection/)
  test.match(steps, /The office lima has no `site`/)
  test.notMatch(steps, /thumbprints of revoked certificates are missing/)
  test.match(file(bare, 'STEPS.md'), /thumbprints of revoked certificates are missing/)
})

void t.test('a range as egress becomes what Azure takes', async (test) => {
  const ground = { ...bare, plan: { ...bare.plan, egress: ['203.0.113.7-203.0.113.12', '2001:db8::1'] } }
  test.strictSame([...file(ground, 'azure/commands.sh').matchAll(/tideoffice .*--ip-address (\S+)/g)].map(([, address]) => address), ['203.0.113.7', '203.0.113.8/30', '203.0.113.12'])
})

const held = (entries: Record<string, string | undefined>): Map<string, Buffer | undefined> => new Map(Object.entries(entries).map(([name, text]) => [name, text === undefined ? undefined : Buffer.from(text)]))

void t.test('a folder: what it wrote may be replaced, anything else stops it', async (test) => {
  const files = new Map([['a', 'new'], ['b/c', 'two']])
  const list = readList(listText(new Map([['a', 'old'], ['gone', 'x']]))) ?? new Map<string, string>()
  test.strictSame(foreignFiles(held({}), new Map(), files), [])
  test.strictSame(foreignFiles(held({ 'a': 'old', 'gone': 'x', '.written.json': '{}', 'sites/genoa/secrets.conf': 'key' }), list, files), [])
  test.strictSame(foreignFiles(held({ 'a': 'new', 'b/c': 'two' }), list, files), [], 'an interrupted run goes on')
  test.strictSame(foreignFiles(held({ 'a': 'mine', 'z': 'x', 'b/c': undefined, 'secrets.conf': 'k', 'sites/x/y/secrets.conf': 'k' }), list, files), [
    { name: 'a', found: 'changed' }, { name: 'b/c', found: 'foreign' }, { name: 'secrets.conf', found: 'foreign' }, { name: 'sites/x/y/secrets.conf', found: 'foreign' }, { name: 'z', found: 'foreign' },
  ])
  for (const text of ['', 'null', '{}', '[]', '{"files":1}']) test.equal(readList(text), undefined, text)
})
