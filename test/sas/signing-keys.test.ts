// User delegation keys by the texts that name them (spec/sas.md 12).
import { inspect } from 'node:util'
import t from 'tap'
import { readQuery } from '../../src/sas/query.ts'
import { DelegationKeys, type UserDelegationKey } from '../../src/sas/signing-keys.ts'
import { DELEGATION, NOW, UDK, delegationParams, issued } from './ground.ts'

const token = (change: Record<string, string | undefined> = {}): Pick<ReturnType<typeof readQuery>, 'values'> => readQuery(issued(delegationParams(change), {}, UDK))

void t.test('found by all texts together', async (test) => {
  const keys = new DelegationKeys([DELEGATION])
  test.equal(keys.find(token()), DELEGATION)
  for (const name of ['skoid', 'sktid', 'skt', 'ske', 'sks', 'skv', 'skdutid']) test.equal(keys.find(token({ [name]: 'other' })), undefined, name)
  test.equal(keys.find(token({ ske: '2026-11-30T00:00:00.0Z' })), undefined, 'the same instant in another text')
})

void t.test('the tenant of a delegated user is part of the name', async (test) => {
  const delegated: UserDelegationKey = { ...DELEGATION, signedDelegatedUserTenantId: 'user' }
  const keys = new DelegationKeys([DELEGATION, delegated])
  test.equal(keys.find(token({ skdutid: 'user' })), delegated)
  test.equal(keys.find(token()), DELEGATION)
})

void t.test('a learned key takes the place of one of the same name; with the next one those that have expired go', async (test) => {
  const again = { ...DELEGATION }, other = { ...DELEGATION, signedObjectId: 'other', signedExpiresOn: '2099-01-01T00:00:00Z' }
  const keys = new DelegationKeys()
  for (const key of [DELEGATION, { ...DELEGATION, signedExpiresOn: 'never' }, again]) test.equal(keys.learn(key, NOW), true)
  test.equal(keys.find(token()), again)
  test.strictSame(keys.learned, [again], 'no readable end, no key')
  keys.learn(other, Date.parse(DELEGATION.signedExpiresOn) - 1)
  test.equal(keys.learned.length, 2)
  keys.learn(other, Date.parse(DELEGATION.signedExpiresOn))
  test.strictSame(keys.learned, [other])
  test.equal(keys.find(token()), undefined)
})

void t.test('a key from a file is not among the learned ones, and stays', async (test) => {
  const keys = new DelegationKeys([DELEGATION])
  keys.learn({ ...DELEGATION, signedObjectId: 'other', signedExpiresOn: '2099-01-01T00:00:00Z' }, Date.parse(DELEGATION.signedExpiresOn) + 1)
  test.equal(keys.learned.length, 1)
  test.equal(keys.find(token()), DELEGATION)
})

void t.test('where there is no room for a new one, a known one may still be renewed', async (test) => {
  const keys = new DelegationKeys()
  for (let i = 0; i < 1000; i++) keys.learn({ ...DELEGATION, signedObjectId: `user-${i}` }, NOW)
  test.equal(keys.learn({ ...DELEGATION, signedObjectId: 'late' }, NOW), false)
  test.equal(keys.learn({ ...DELEGATION, signedObjectId: 'user-0' }, NOW), true)
  test.equal(keys.learned.length, 1000)
})

void t.test('a key prints as nothing', async (test) => {
  const printed = inspect({ keys: new DelegationKeys([DELEGATION]), key: DELEGATION }, { depth: 9, showHidden: true }) + JSON.stringify(DELEGATION)
  test.notMatch(printed, UDK.toString('base64').slice(0, 12))
  test.notMatch(printed, UDK.toString('hex').slice(0, 12))
})
