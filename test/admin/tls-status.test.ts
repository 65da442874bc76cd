// The part `tls` of /status: from the workers' numbers and tables to what an operator asks.
import t from 'tap'
import type { ExposedValues } from '../../src/observe/family.ts'
import { createTrafficMetrics } from '../../src/observe/metrics.ts'
import { tlsStatusOf } from '../../src/admin/tls-status.ts'

const EMPTY = { ssl3: 0, 'tls1.0': 0, 'tls1.1': 0, 'tls1.2': 0, 'tls1.3': 0, none: 0 }

void t.test('before the first hello', async (test) => {
  test.strictSame(tlsStatusOf('modern', [], []), { profile: 'modern', offered: EMPTY, negotiated: [], groups: [], completed: 0, resumedShare: null, postQuantumShare: null, refused: {}, cutOffByModern: [] })
})

void t.test('counts, shares, and who would be cut off', async (test) => {
  const metrics = createTrafficMetrics()
  metrics.hellos.child('tls1.3').value = 3
  metrics.hellos.child('tls1.0').value = 2
  metrics.handshakes.child('TLSv1.3', 'A', 'no', 'no').value = 2
  metrics.handshakes.child('TLSv1.3', 'A', 'yes', 'yes').value = 4
  metrics.groups.child('x25519').value = 2
  metrics.groups.child('X25519MLKEM768').value = 4
  metrics.refusals.child('handshake', 'tls-version').value = 2
  metrics.refusals.child('sas', 'sas-expired').value = 9
  const numbers = (await metrics.registry.getMetricsAsJSON()) as unknown as ExposedValues[]
  const row = { client: '192.0.2.1', offered: { 'tls1.2': 4, 'tls1.0': 1, 'tls1.3': 9 }, served: 3, negotiated: { version: 'TLSv1.2', suite: 'B', group: 'x25519' }, serverName: null }
  test.strictSame(tlsStatusOf('intermediate', numbers, [{ ...row, lastSeen: 0 }]), {
    profile: 'intermediate',
    offered: { ...EMPTY, 'tls1.0': 2, 'tls1.3': 3 },
    negotiated: [
      { version: 'TLSv1.3', suite: 'A', resumed: true, clientCertificate: true, count: 4 },
      { version: 'TLSv1.3', suite: 'A', resumed: false, clientCertificate: false, count: 2 },
    ],
    groups: [{ group: 'X25519MLKEM768', postQuantum: true, count: 4 }, { group: 'x25519', postQuantum: false, count: 2 }],
    completed: 6,
    resumedShare: 0.6667,
    postQuantumShare: 0.6667,
    refused: { 'tls-version': 2 },
    cutOffByModern: [{ ...row, lowest: 'tls1.0', lastSeen: '1970-01-01T00:00:00.000Z' }],
  })
})
