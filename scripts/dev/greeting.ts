// What `npm start` prints when all is up: addresses, how programs connect, and five commands that work as they stand.
import { ACCOUNT, API_HOST, SERVICES, storageHost } from './configuration.ts'
import { BLOB, CONTAINER } from './first-blob.ts'
import type { Ports } from './ports.ts'

export interface Scene {
  readonly ports: Ports
  /** The account's key, base64. It is made up here and opens Azurite only. */
  readonly key: string
  /** A token that reads the first blob, without `spr`. */
  readonly token: string
  /** Absolute path of the authority's certificate. */
  readonly ca: string
  /** True if this system finds *.localhost by itself. */
  readonly namesResolve: boolean
}

/** Given what is running, returns the text. */
export function greeting(scene: Scene): string {
  return [addresses(scene), programs(scene), commands(scene).map(tryOut).join('\n')].join('\n')
}

function addresses({ ports }: Scene): string {
  return `
Tidegate is running. Ctrl-C stops it and all behind it.

    storage    ${SERVICES.map((service) => `https://${storageHost(service)}:${ports.port}/`).join('\n               ')}
    API        https://${API_HOST}:${ports.port}/v1/employees
    plaintext  http://127.0.0.1:${ports['plain-port']}/ (is there to refuse)
    admin      http://127.0.0.1:${ports['admin-port']}/metrics  /status  /livez  /readyz
    behind it  Azurite on 127.0.0.1:${ports['blob-port']}, ${ports['queue-port']}, ${ports['table-port']}; the demo API on 127.0.0.1:${ports['api-port']}; all over TLS
    files      .dev/tidegate.yaml (the configuration), .dev/*.log, certs/
`
}

function programs({ ports, key, ca, namesResolve }: Scene): string {
  const endpoints = SERVICES.map((service) => `${service[0]?.toUpperCase()}${service.slice(1)}Endpoint=https://${storageHost(service)}:${ports.port}/;`).join('')
  return `Programs with an Azure SDK connect with this string (the key is made up, and kept in .dev/account.key):

    DefaultEndpointsProtocol=https;AccountName=${ACCOUNT};AccountKey=${key};${endpoints}

They have to trust the development authority: NODE_EXTRA_CA_CERTS=${quoted(ca)} (Node), REQUESTS_CA_BUNDLE (Python),
SSL_CERT_FILE (Go, .NET).
${namesResolve ? 'This system finds *.localhost by itself; where one does not, they need this line in its hosts file:' : 'This system does not find *.localhost by itself, so they need this line in /etc/hosts (the commands below do not):'}

    127.0.0.1 ${SERVICES.map(storageHost).join(' ')} ${API_HOST}
`
}

interface Command {
  readonly does: string
  readonly line: string
  readonly see: string
}

const blob = (port: number, query: string, scheme = 'https'): string => `'${scheme}://${storageHost('blob')}:${port}/${CONTAINER}/${BLOB}?${query}'`

// So that the commands need neither DNS nor a hosts file.
const over = (host: string, port: number): string => `--resolve ${host}:${port}:127.0.0.1`

function commands({ ports, token, ca }: Scene): Command[] {
  const tls = (host: string) => `curl -sS -i --cacert ${quoted(ca)} ${over(host, ports.port)}`
  const plain = ports['plain-port']
  return [
    { does: 'A read with a SAS that would also be good over plain HTTP', line: `${tls(storageHost('blob'))} ${blob(ports.port, token)}`,
      see: '200, the text, and x-tidegate-sas: tightened (it went up re-signed, for https only)' },
    { does: 'The same without TLS', line: `curl -sS -i ${over(storageHost('blob'), plain)} ${blob(plain, token, 'http')}`,
      see: '400, x-ms-error-code: AccountRequiresHttps, "The account being accessed does not support http."; no redirect' },
    { does: 'The same with a bad signature', line: `${tls(storageHost('blob'))} ${blob(ports.port, spoil(token))}`,
      see: '403 AuthenticationFailed, x-tidegate-reason: sas-signature; it never reached the storage' },
    { does: 'A call of the API', line: `${tls(API_HOST)} https://${API_HOST}:${ports.port}/v1/employees`,
      see: '200 and three employees' },
    { does: 'What the gateway counted', line: `curl -sS http://127.0.0.1:${ports['admin-port']}/metrics | grep 'tidegate_refusals_total.* [1-9]'`,
      see: 'the two refusals from above, by stage and reason' },
  ]
}

const tryOut = ({ does, line, see }: Command, at: number): string => `${at === 0 ? 'Five commands to try in another terminal:\n\n' : ''}${at + 1}. ${does}. You see: ${see}.\n\n${line}\n`

// The first character of the signature is another one, and all else is as it was.
const spoil = (token: string): string => token.replace(/sig=(.)/, (_, first: string) => `sig=${first === 'A' ? 'B' : 'A'}`)

const quoted = (path: string): string => /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`
