// Views to render: a quiet gateway that just started, a busy one, and one in every trouble at once.
import { REASONS, REFUSALS } from '../../../src/refusal.ts'
import { ADVICE } from '../../../src/admin/page/advice.ts'
import type { Tally } from '../../../src/admin/page/reading.ts'
import type { UpstreamView } from '../../../src/admin/page/upstreams.ts'
import type { RefusalView, View } from '../../../src/admin/page/view.ts'

export const NOW = Date.parse('2026-11-26T04:21:10.000Z')
const DAY = 86_400_000

export const tally = (total: number, recent = 0, labels: Readonly<Record<string, string>> = {}): Tally => ({ labels, total, recent })

/** Just started: nobody has come. */
export const QUIET: View = {
  host: 'tidegate-7f9c6d5b8-x2x4q', now: NOW, startedAt: NOW - 42_000, windowSeconds: 42, missing: [],
  requests: tally(0), inFlight: 0, refused: tally(0), connections: { tls: 0, plain: 0, accepted: tally(0), limit: 10_000 },
  handshakes: tally(0), resumedShare: null, postQuantumShare: null, own: { p50: null, p99: null }, profile: 'intermediate',
  offered: [], negotiated: [], groups: [], plaintext: [], belowTls13: [], refusals: [], ranges: [], tokens: tally(0), openIssuers: [],
  uncovered: [], certificates: [{ name: 'tls.certificates[0]', use: 'server', names: ['tideoffice.blob.storage.tide.example', 'tideoffice.queue.storage.tide.example'], validUntil: NOW + 81.4 * DAY, daysLeft: 81 }],
  upstreams: [upstream('tideoffice.blob', 'https://tideoffice.blob.core.windows.net')],
  configuration: { file: '/etc/tidegate/tidegate.yaml', generation: 1, hash: '9c1185a5c5e9fc54', warnings: [], reloads: [] },
  routes: [{ host: 'tideoffice.blob.storage.tide.example', upstream: 'https://tideoffice.blob.core.windows.net', route: 'tideoffice', service: 'blob' }],
  listeners: [['tls', '0.0.0.0:8443'], ['plain', '0.0.0.0:8080'], ['admin', '127.0.0.1:9464']],
  workers: [{ pid: 4711, startedAt: NOW - 41_000, listening: true }], workersWanted: 1, workerRestarts: tally(0), shortOfMemory: 0, linesDropped: tally(0),
  versions: { tidegate: '0.1.0', node: '26.12.1', openssl: '3.5.7', undici: '7.30.2', fastify: '5.12.8' }, versionWarnings: [],
}

/** An upstream without requests, or with what `change` says. */
export function upstream(name: string, target: string, change: Partial<UpstreamView> = {}): UpstreamView {
  const none = { p50: null, p99: null }
  return { name, target, health: 'idle', requests: tally(0), failures: tally(0), failed: [], serverErrors: tally(0), connect: none, firstByte: none, open: 0, pending: 0, ...change }
}

export const refusal = (reason: (typeof REASONS)[number], total: number, recent: number, ago: number): RefusalView => {
  const { stage, blame, says } = REFUSALS[reason]
  return { reason, stage, blame, total, recent, lastSeen: NOW - ago, says, todo: ADVICE[reason] }
}

const range = (text: string, reason: (typeof REASONS)[number], count: number, ago: number): View['ranges'][number] => ({ range: text, reason, count, lastSeen: NOW - ago })

/** Some hours of traffic; nothing is for now. */
export const BUSY: View = {
  ...QUIET,
  startedAt: NOW - (3 * 24 + 4.2) * 3_600_000, windowSeconds: 304,
  requests: tally(8_412_345, 36_480), inFlight: 31, refused: tally(21_904, 214), connections: { tls: 412, plain: 1, accepted: tally(98_000, 600), limit: 10_000 },
  handshakes: tally(97_412, 598), resumedShare: 0.631, postQuantumShare: 0.284, own: { p50: 0.00041, p99: 0.0023 },
  offered: [tally(78_120, 490, { offered: 'tls1.3' }), tally(19_340, 110, { offered: 'tls1.2' }), tally(402, 12, { offered: 'tls1.0' }), tally(3, 0, { offered: 'none' })],
  negotiated: [
    tally(51_300, 320, { version: 'TLSv1.3', suite: 'TLS_AES_256_GCM_SHA384', resumed: 'yes' }), tally(26_800, 168, { version: 'TLSv1.3', suite: 'TLS_AES_128_GCM_SHA256', resumed: 'no' }),
    tally(10_100, 61, { version: 'TLSv1.2', suite: 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', resumed: 'yes' }), tally(9_212, 49, { version: 'TLSv1.2', suite: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', resumed: 'no' }),
  ],
  groups: [{ ...tally(60_100, 370, { group: 'x25519' }), postQuantum: false }, { ...tally(27_650, 171, { group: 'X25519MLKEM768' }), postQuantum: true }, { ...tally(9_662, 57, { group: 'secp256r1' }), postQuantum: false }],
  plaintext: [tally(88, 3, { protocol: 'http' }), tally(12, 0, { protocol: 'smb' }), tally(7, 1, { protocol: 'silence' })],
  belowTls13: [
    { client: '198.51.100.17', offered: { 'tls1.0': 390 }, served: 0, negotiated: null, serverName: 'tideoffice.blob.storage.tide.example', lastSeen: NOW - 14_000 },
    { client: '203.0.113.9', offered: { 'tls1.2': 18_800, 'tls1.3': 12 }, served: 18_790, negotiated: { version: 'TLSv1.2', suite: 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', group: 'secp256r1' }, serverName: 'tideoffice.queue.storage.tide.example', lastSeen: NOW - 2000 },
    { client: '2001:db8:4:1::22', offered: { 'tls1.2': 540 }, served: 540, negotiated: { version: 'TLSv1.2', suite: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', group: 'x25519' }, serverName: null, lastSeen: NOW - 3_700_000 },
  ],
  refusals: [refusal('sas-expired', 14_800, 160, 1000), refusal('sas-signature', 6_500, 31, 22_000), refusal('tls-version', 402, 12, 14_000), refusal('plaintext-http', 88, 3, 61_000), refusal('host-unknown', 31, 0, 7_300_000), refusal('upstream-reset', 9, 0, 40_000_000)],
  ranges: [range('203.0.113.0/24', 'sas-expired', 14_700, 1000), range('192.0.2.0/24', 'sas-signature', 6_500, 22_000), range('198.51.100.0/24', 'tls-version', 390, 14_000), range('2001:db8:77::/48', 'plaintext-http', 71, 61_000)],
  tokens: tally(3_100_000, 9_800),
  openIssuers: [{ account: 'tideoffice', kind: 'account', slot: 'key2', client: '203.0.113.9', open: 91_233, httpsOnly: 12, lastSeen: NOW - 1000 }, { account: 'tidearchive', kind: 'service', slot: null, client: '2001:db8:4:1::22', open: 812, httpsOnly: 0, lastSeen: NOW - 95_000 }],
  certificates: [...QUIET.certificates, { name: 'tls.clients.ca', use: 'client-ca', names: [], validUntil: NOW + 901 * DAY, daysLeft: 901 }, { name: 'storage.accounts[0].queue.ca', use: 'upstream-ca', names: [], validUntil: NOW + 2100 * DAY, daysLeft: 2100 }],
  upstreams: [
    upstream('tideoffice.blob', 'https://tideoffice.blob.core.windows.net', { health: 'well', requests: tally(7_100_000, 31_200), firstByte: { p50: 0.0089, p99: 0.081 }, connect: { p50: 0.0121, p99: 0.044 }, open: 41, failed: [tally(9, 0, { result: 'reset' })], serverErrors: tally(120, 2), failures: tally(9) }),
    upstream('payroll', 'https://payroll.internal:8443', { health: 'well', requests: tally(41_000, 180), firstByte: { p50: 0.031, p99: 0.41 }, connect: { p50: 0.0021, p99: 0.009 }, open: 3 }),
    upstream('tideoffice.queue', 'https://tideoffice.queue.core.windows.net'),
  ],
  configuration: { ...QUIET.configuration, generation: 4, reloads: [{ at: '2026-11-25T22:04:31.000Z', trigger: 'files', result: 'success', faults: [] }, { at: '2026-11-25T09:12:00.000Z', trigger: 'SIGHUP', result: 'success', faults: [] }, { at: '2026-11-25T09:08:41.000Z', trigger: 'SIGHUP', result: 'failure', faults: [{ path: 'apis[0].upstream', found: 'http://payroll.internal', allowed: 'an https URL' }] }] },
  routes: [...QUIET.routes, { host: 'tideoffice.queue.storage.tide.example', upstream: 'https://tideoffice.queue.core.windows.net', route: 'tideoffice', service: 'queue' }, { host: 'payroll.tide.example', prefix: '/v1', upstream: 'https://payroll.internal:8443', route: 'payroll', service: 'api' }],
  workers: [{ pid: 4711, startedAt: NOW - 274_000_000, listening: true }, { pid: 4712, startedAt: NOW - 274_000_000, listening: true }], workersWanted: 2,
}

/** Everything that can be wrong. */
export const TROUBLED: View = {
  ...BUSY,
  missing: ['certificates'],
  certificates: [{ name: 'tls.certificates[0]', use: 'server', names: ['tideoffice.blob.storage.tide.example'], validUntil: NOW - 0.3 * DAY, daysLeft: -1 }, { name: 'tls.certificates[1]', use: 'server', names: ['payroll.tide.example'], validUntil: NOW + 2.1 * DAY, daysLeft: 2 }, { name: 'tls.clients.crl[0]', use: 'crl', names: [], validUntil: NOW + 12.5 * DAY, daysLeft: 12 }, ...BUSY.certificates.slice(1)],
  upstreams: [
    upstream('tideoffice.queue', 'https://tideoffice.queue.core.windows.net', { health: 'failing', requests: tally(900, 212), failures: tally(230, 212), failed: [tally(230, 212, { result: 'unreachable' })] }),
    upstream('payroll', 'https://payroll.internal:8443', { health: 'some-failures', requests: tally(41_000, 180), failures: tally(40, 9), failed: [tally(40, 9, { result: 'timeout' })], firstByte: { p50: 1.2, p99: Infinity }, connect: { p50: 0.0021, p99: 0.009 }, open: 12, pending: 3 }),
    ...BUSY.upstreams.slice(0, 1),
  ],
  refusals: [refusal('upstream-unreachable', 230, 212, 500), refusal('unexpected', 2, 1, 30_000), refusal('too-many-connections', 40, 4, 3000), ...BUSY.refusals],
  configuration: { ...BUSY.configuration, warnings: [{ path: 'storage.accounts[0].keys[0]', found: '/etc/tidegate/secrets/key1: others can read or write it', allowed: 'a secret that only its owner and group can read' }], reloads: [{ at: '2026-11-26T04:02:10.000Z', trigger: 'SIGHUP', result: 'failure', faults: [{ path: 'storage.accounts[1].blob', found: 'nothing', allowed: 'an https URL' }, { path: 'workers', found: 'a change', allowed: 'none while running: restart to take it up' }] }, ...BUSY.configuration.reloads] },
  workers: BUSY.workers.slice(0, 1).map((worker) => ({ ...worker, startedAt: NOW - 65_000 })), workerRestarts: tally(5, 2), shortOfMemory: 1, linesDropped: tally(311, 40),
  versionWarnings: ['undici 7.20.0 is below 7.30.1'], versions: { ...QUIET.versions, undici: '7.20.0' },
}
