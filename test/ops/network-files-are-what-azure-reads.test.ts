// What `network write` writes against Azure's own tools, as far as they work without Azure: the models of Debian's azure-cli
// read and write each resource without a loss, and each az line has only options that `az … --help` lists.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ipsecFaults } from '../../src/network/ipsec.ts'
import { networkFiles } from '../../src/network/written.ts'
import { GROUND } from '../network/sample.ts'
import { output, run, without } from '../support/programs.ts'

const skip = without('az')
/** azure-cli is of Debian's own Python, whatever stands first in PATH. */
const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'
const MODELS = join(import.meta.dirname, '../support/azure-models.py')
const bare = { ...GROUND, plan: { ...GROUND.plan, subnets: GROUND.plan.subnets.slice(0, 2) }, roots: [], revoked: undefined }
const template = (ground = GROUND): string => networkFiles(ground).get('azure/network.json') ?? ''

interface Verdict { readonly lost: string[]; readonly unknownValues: string[] }
const judge = (text: string): Verdict => JSON.parse(output(PYTHON, [MODELS], { input: text })) as Verdict

void t.test('each resource goes through Azure\'s models unchanged, and each value of an enumeration is one of theirs', { skip }, async (test) => {
  for (const ground of [GROUND, bare]) test.strictSame(judge(template(ground)), { lost: [], unknownValues: [] })
})

void t.test('every IPsec policy that passes the check is one of Azure\'s', { skip }, async (test) => {
  const policies = ['GCMAES256', 'GCMAES128', 'AES256', 'AES192', 'AES128'].flatMap((encryption) => ['SHA384', 'SHA256'].flatMap((integrity) => ['ECP384', 'ECP256', 'DHGroup14', 'DHGroup2048', 'DHGroup24']
    .flatMap((dhGroup) => ['ECP384', 'ECP256', 'PFS2048', 'PFS14', 'PFS24'].map((pfsGroup) => ({ encryption, integrity, dhGroup, pfsGroup }))))).filter((ipsec) => ipsecFaults(ipsec).length === 0)
  test.ok(policies.length > 100, `${policies.length} policies`)
  const resources = policies.flatMap((ipsec) => (JSON.parse(template({ ...GROUND, plan: { ...GROUND.plan, ipsec } })) as { resources: object[] }).resources.slice(2, 3))
  test.strictSame(judge(JSON.stringify({ resources })), { lost: [], unknownValues: [] })
})

void t.test('the models find a misspelt key and a value that is none', { skip }, async (test) => {
  test.match(judge(template().replace('"vpnClientAddressPool"', '"vpnClientAdressPool"')).lost, [/vpnClientAdressPool$/])
  test.match(judge(template().replaceAll('"dhGroup": "ECP384"', '"dhGroup": "ECP512"')).unknownValues, [/dhGroup=ECP512$/])
})

void t.test('each az line has only options that az lists', { skip, timeout: 180_000 }, async (test) => {
  const lines = [GROUND, bare].flatMap((ground) => [...networkFiles(ground).values()]).flatMap((text) => [...text.matchAll(/(?:^|`)(az [a-z][^`\n|&]*)/gm)].map(([, line = '']) => line.trim()))
  const byCommand = Map.groupBy(lines, (line) => /^az (?:[a-z][a-z-]* ?)+(?= --)/.exec(line)?.[0].trim() ?? line)
  test.ok(byCommand.size > 8, [...byCommand.keys()].join(', '))
  for (const [command, its] of byCommand) {
    const { code, stdout } = run('az', [...command.split(' ').slice(1), '--help'])
    test.equal(code, 0, command)
    const known = new Set(stdout.match(/--[a-z][a-z-]*/g))
    for (const line of its) for (const [option] of line.matchAll(/--[a-z][a-z-]*/g)) test.ok(known.has(option), `${command} ${option}`)
  }
})

void t.test('the script is one that a shell reads', async (test) => {
  for (const ground of [GROUND, bare]) test.equal(run('sh', ['-n'], { input: networkFiles(ground).get('azure/commands.sh') ?? '' }).code, 0)
})
