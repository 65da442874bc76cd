// The gateway's configuration for `npm start`, and the account it is for.
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ports } from './ports.ts'

export const ACCOUNT = 'tideoffice'
export const API_HOST = 'api.localhost'
export const SERVICES = ['blob', 'queue', 'table'] as const

/** The name by which clients reach a service of the account. */
export const storageHost = (service: string): string => `${ACCOUNT}.${service}.localhost`

/** Given the folder of the development files, returns the account's key in base64: the one kept there, or a new one that is kept from now on. */
export function accountKey(folder: string): string {
  const file = join(folder, 'account.key')
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(64).toString('base64')}\n`, { mode: 0o600 })
  return readFileSync(file, 'utf8').trim()
}

/** Given the ports, returns the YAML, with paths relative to the folder of the development files. */
export function configuration(ports: Ports): string {
  return `# Written anew by each \`npm start\`: look, but edit a copy. Commented in full: config/.

listen:
  tls:   { host: 127.0.0.1, port: ${ports.port} }
  plain: { host: 127.0.0.1, port: ${ports['plain-port']} }
  admin: { host: 127.0.0.1, port: ${ports['admin-port']} }

tls:
  certificates:
    - { cert: ../certs/gateway.pem, key: ../certs/gateway.key }
    - { cert: ../certs/gateway-rsa.pem, key: ../certs/gateway-rsa.key }

storage:
  domain: localhost
  port: ${ports.port}
  accounts:
    - name: ${ACCOUNT}
      keys: [account.key]
${SERVICES.map((service) => `      ${service}: ${upstream(service, ports)}`).join('\n')}

apis:
  - name: payroll
    host: ${API_HOST}
    prefix: /v1
    upstream: https://127.0.0.1:${ports['api-port']}
    ca: ../certs/ca.pem

drain: { announce: 0s, deadline: 3s }
`
}

// By host name, so that the account is in the name and not in the path, as with the real service.
function upstream(service: typeof SERVICES[number], ports: Ports): string {
  const port = ports[`${service}-port`]
  return `{ url: "https://${storageHost(service)}:${port}", connect: "127.0.0.1:${port}", ca: ../certs/ca.pem }`
}
