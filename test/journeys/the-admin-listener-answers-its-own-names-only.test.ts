// The running program answers on its admin listener to the names of listen.admin.hosts, and to no other name
// (security.md F10).
import { request } from 'node:http'
import t from 'tap'
import { serveGate } from '../support/gate.ts'
import { createRealm } from '../support/realm.ts'

const realm = await createRealm(t)
const gate = await serveGate(t, realm, {
  storage: { blob: 1 },
  listen: { admin: { host: '127.0.0.1', port: 0, hosts: ['Gate.Example.', 'tidegate-admin.tide.svc'] } },
})

const statusFor = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: gate.adminPort, path: '/status', headers: { host } }, (reply) => {
      reply.resume().on('end', () => resolve(reply.statusCode ?? 0))
    })
    asked.on('error', reject).end()
  })

for (const host of [
  'gate.example',
  'gate.example:9464',
  'TIDEGATE-ADMIN.tide.svc',
  `127.0.0.1:${gate.adminPort}`,
  'localhost',
]) {
  void t.test(`Host: ${host}`, async (test) => test.equal(await statusFor(host), 200))
}

for (const host of ['evil.example', 'tidegate-admin.tide.svc.evil.example', 'tide.svc']) {
  void t.test(`Host: ${host} is misdirected`, async (test) => test.equal(await statusFor(host), 421))
}
