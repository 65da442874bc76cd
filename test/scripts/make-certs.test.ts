// The development certificates: made once, kept while they are good, made anew when they are not.
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { test } from 'tap'
import { makeCerts } from '../../scripts/make-certs.ts'
import { createAuthority } from '../support/authority.ts'

await test('made once, then kept; keys are for their owner only', async (t) => {
  const folder = join(t.testdir({}), 'certs')
  t.equal(await makeCerts(folder), true)
  const before = readFileSync(join(folder, 'ca.pem'), 'utf8')
  for (const name of ['ca', 'gateway', 'gateway-rsa', 'upstream']) {
    t.equal(statSync(join(folder, `${name}.key`)).mode & 0o777, 0o600)
    t.doesNotThrow(() => createSecureContext({ cert: readFileSync(join(folder, `${name}.pem`)), key: readFileSync(join(folder, `${name}.key`)) }))
  }
  t.equal(await makeCerts(folder), false)
  t.equal(readFileSync(join(folder, 'ca.pem'), 'utf8'), before)
})

await test('made anew when a file is spoilt, near its end, or of another authority', async (t) => {
  const folder = t.testdir({})
  await makeCerts(folder)
  writeFileSync(join(folder, 'gateway.pem'), 'no certificate')
  t.equal(await makeCerts(folder), true)
  await replace('gateway', folder, { days: 6 })
  t.equal(await makeCerts(folder), true)
  await replace('upstream', folder, {})
  t.equal(await makeCerts(folder), true)
  t.equal(await makeCerts(folder), false)
})

async function replace(name: string, folder: string, { days = 90 }: { days?: number }): Promise<void> {
  const stranger = await createAuthority({ name: 'Stranger' })
  const { cert, key } = await stranger.issue({ names: ['localhost'], days })
  writeFileSync(join(folder, `${name}.pem`), cert)
  writeFileSync(join(folder, `${name}.key`), key)
}
