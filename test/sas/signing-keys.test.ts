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
  const keys = new DelegationKeys()
  keys.add(DELEGATION)
  keys.add(delegated)
  test.equal(keys.size, 2)
  test.equal(keys.find(token({ skdutid: 'user' })), delegated)
  test.equal(keys.find(token()), DELEGATION)
})

void t.test('a key of the same name takes the place, an expired one goes', async (test) => {
  const again = { ...DELEGATION }
  const keys = new DelegationKeys([DELEGATION, again, { ...DELEGATION, signedExpiresOn: 'never' }])
  test.equal(keys.find(token()), again)
  keys.prune(NOW)
  test.equal(keys.size, 1, 'no readable end, no key')
  keys.prune(Date.parse(DELEGATION.signedExpiresOn) - 1)
  test.equal(keys.size, 1)
  keys.prune(Date.parse(DELEGATION.signedExpiresOn))
  test.equal(keys.find(token()), undefined)
})

void t.test('a key prints as nothing', async (test) => {
  const printed = inspect({ keys: new DelegationKeys([DELEGATION]), key: DELEGATION }, { depth: 9, showHidden: true }) + JSON.stringify(DELEGATION)
  test.notMatch(printed, UDK.toString('base64').slice(0, 12))
  test.notMatch(printed, UDK.toString('hex').slice(0, 12))
})
