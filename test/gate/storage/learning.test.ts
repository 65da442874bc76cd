// User delegation keys that pass by: what asks for one, what a reply must be, and what is remembered.
import t from 'tap'
import { parseTarget } from '../../../src/azure/target.ts'
import type { StoragePermit } from '../../../src/gate/admit.ts'
import { KeyListener, asksForKey } from '../../../src/gate/storage/learning.ts'
import { DelegationKeys, type UserDelegationKey } from '../../../src/sas/signing-keys.ts'
import type { StorageRoute } from '../../../src/upstream/routes.ts'
import { NOW, policyOf } from '../../sas/ground.ts'

const told: string[] = []
const keysOf = (delegation: DelegationKeys): StorageRoute => ({ learned: (key: UserDelegationKey) => void told.push(key.signedObjectId), sas: policyOf({ keys: { account: [], delegation } }) }) as never
const asks = (target: string, method = 'POST', learns = true): boolean => asksForKey(method, { route: { learned: learns ? () => undefined : undefined }, target: parseTarget(target, '') } as unknown as StoragePermit)

function xml(change: Readonly<Record<string, string | null>> = {}): string {
  const elements = { SignedOid: 'oid', SignedTid: 'tid', SignedStart: '2026-11-24T00:00:00Z', SignedExpiry: '2026-11-30T00:00:00Z', SignedService: 'b', SignedVersion: '2025-07-05', Value: Buffer.alloc(32, 3).toString('base64'), ...change }
  return `\uFEFF<?xml version="1.0" encoding="utf-8"?><UserDelegationKey>${Object.entries(elements).map(([name, value]) => value === null ? '' : `<${name}>${value}</${name}>`).join('')}</UserDelegationKey>`
}

interface Reply { readonly status?: number; readonly headers?: string[]; readonly pieces: readonly (string | Buffer)[]; readonly ends?: boolean }

/** How many keys are known after one reply. */
function learned({ status = 200, headers = [], pieces, ends = true }: Reply, keys = new DelegationKeys(), now = NOW): number {
  const listener = new KeyListener(keysOf(keys), () => now)
  listener.head({ status, headers } as never)
  for (const piece of pieces) listener.data(Buffer.from(piece as string))
  if (ends) listener.end()
  return keys.learned.length
}

void t.test('what asks for a key', async (test) => {
  for (const target of ['/?restype=service&comp=userdelegationkey', '/?comp=userdelegationkey&restype=service', '/?timeout=30&COMP=UserDelegationKey&RESTYPE=Service&x=y']) test.ok(asks(target), target)
  for (const target of ['/', '/?comp=userdelegationkey', '/?restype=service', '/?restype=service&comp=properties', '/c?restype=service&comp=userdelegationkey', '/?restype=container&comp=userdelegationkey', '/?restype=service&xcomp=userdelegationkey', '/?restype=service&comp=userdelegationkeys']) test.notOk(asks(target), target)
  for (const method of ['GET', 'PUT', 'HEAD', 'post']) test.notOk(asks('/?restype=service&comp=userdelegationkey', method), method)
  test.notOk(asks('/?restype=service&comp=userdelegationkey', 'POST', false), 'where the operator does not want it')
})

void t.test('a key is taken from a whole reply, in one piece or in many', async (test) => {
  const bytes = Buffer.from(xml())
  test.equal(learned({ pieces: [bytes] }), 1)
  test.equal(learned({ pieces: [...bytes].map((byte) => Buffer.from([byte])) }), 1)
  test.equal(learned({ pieces: [bytes], headers: ['Content-Type', 'application/xml', 'Transfer-Encoding', 'chunked'] }), 1)
})

void t.test('and from nothing else', async (test) => {
  for (const status of [201, 202, 204, 206, 301, 400, 403, 500]) test.equal(learned({ status, pieces: [xml()] }), 0, String(status))
  for (const coding of ['gzip', 'identity', 'br']) test.equal(learned({ headers: ['content-Encoding', coding], pieces: [xml()] }), 0, coding)
  test.equal(learned({ pieces: [xml()], ends: false }), 0, 'a reply that did not end')
  test.equal(learned({ pieces: [] }), 0)
  for (const name of ['SignedOid', 'SignedTid', 'SignedStart', 'SignedExpiry', 'SignedService', 'SignedVersion', 'Value']) test.equal(learned({ pieces: [xml({ [name]: null })] }), 0, name)
  test.equal(learned({ pieces: [xml({ Value: 'not base64!' })] }), 0)
})

void t.test('it listens up to a bound', async (test) => {
  const filler = ' '.repeat(16_384 - Buffer.byteLength(xml()))
  test.equal(learned({ pieces: [filler, xml()] }), 1)
  test.equal(learned({ pieces: [`${filler} `, xml()] }), 0)
  test.equal(learned({ pieces: [' '.repeat(20_000), xml()] }), 0, 'nor does it begin anew')
})

void t.test('with each key the expired ones go', async (test) => {
  const keys = new DelegationKeys()
  learned({ pieces: [xml({ SignedExpiry: '2026-11-25T07:00:00Z' })] }, keys)
  test.equal(learned({ pieces: [xml()] }, keys), 2)
  test.equal(learned({ pieces: [xml({ SignedOid: 'other' })] }, keys, Date.parse('2026-11-25T07:00:00Z')), 2)
  test.equal(learned({ pieces: [xml()] }, keys), 2, 'the same one again takes its own place')
})

void t.test('there is room for a thousand', async (test) => {
  const keys = new DelegationKeys()
  told.length = 0
  for (let i = 0; i < 1001; i += 1) learned({ pieces: [xml({ SignedOid: `user-${i}` })] }, keys)
  test.equal(keys.learned.length, 1000)
  test.strictSame([told.length, told[0], told.at(-1)], [1000, 'user-0', 'user-999'], 'and each that is taken is told of, for other workers')
})
