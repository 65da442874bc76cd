// User delegation keys as the service and the SDKs write them, and what is none.
import { inspect } from 'node:util'
import t from 'tap'
import { KEY_FILE_ALLOWED, keyInFile, keyInReply } from '../../src/sas/delegation-key.ts'
import { VECTORS } from './ground.ts'

const SECRET = Buffer.alloc(32, 3)
const FIELDS = { signedObjectId: 'oid', signedTenantId: 'tid', signedStartsOn: '2026-11-24T00:00:00Z', signedExpiresOn: '2026-11-30T00:00:00Z', signedService: 'b', signedVersion: '2025-07-05' }
const FILE = { ...FIELDS, value: SECRET.toString('base64') }
const ELEMENTS: Readonly<Record<keyof typeof FIELDS, string>> = { signedObjectId: 'SignedOid', signedTenantId: 'SignedTid', signedStartsOn: 'SignedStart', signedExpiresOn: 'SignedExpiry', signedService: 'SignedService', signedVersion: 'SignedVersion' }

const file = (value: unknown): ReturnType<typeof keyInFile> => keyInFile(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)))
const xmlOf = (more = '', fields: Readonly<Record<string, string>> = FIELDS): string => `<UserDelegationKey>${Object.entries(ELEMENTS).map(([name, element]) => `<${element}>${fields[name]}</${element}>`).join('\n  ')}${more}<Value>${SECRET.toString('base64')}</Value></UserDelegationKey>`

/** Names and secret of a key, in the open. */
function opened(key: ReturnType<typeof keyInReply> | string): object | string | undefined {
  if (key === undefined || typeof key === 'string') return key
  const { key: secret, ...names } = key
  return { ...names, value: secret.export().toString('base64') }
}

void t.test('a file with the SDKs\' field names', async (test) => {
  test.strictSame(opened(file(FILE)), FILE)
  test.strictSame(opened(file({ ...FILE, signedDelegatedUserTenantId: 'user', more: 1 })), { ...FILE, signedDelegatedUserTenantId: 'user' })
  test.strictSame(opened(file({ ...FILE, signedDelegatedUserTenantId: '' })), FILE)
  for (const { userDelegationKey } of VECTORS) if (userDelegationKey !== undefined) test.strictSame(opened(file(userDelegationKey)), userDelegationKey)
})

void t.test('a key that an SDK\'s program wrote has times of its own, signed in whole seconds', async (test) => {
  const written = JSON.stringify({ ...FILE, signedStartsOn: new Date(FIELDS.signedStartsOn), signedExpiresOn: new Date(FIELDS.signedExpiresOn) })
  test.match(written, /\.000Z/)
  test.strictSame(opened(file(written)), FILE)
})

void t.test('a file that is no key, in words that hold nothing of it', async (test) => {
  for (const [value, said] of [
    ['', 'something that is not JSON'], ['{', 'something that is not JSON'], ['null', 'something that is not a JSON object'], ['"x"', 'something that is not a JSON object'], ['7', 'something that is not a JSON object'],
    [{}, 'no signedObjectId, no signedTenantId, no signedStartsOn, no signedExpiresOn, no signedService, no signedVersion, no value'], [[], /^no signedObjectId, /], [{ ...FILE, signedService: undefined }, 'no signedService'], [{ ...FILE, signedService: 1 }, 'no signedService'], [{ ...FILE, value: undefined, signedVersion: null }, 'no signedVersion, no value'],
    [{ ...FILE, value: '' }, 'a value that is not a key in base64'], [{ ...FILE, value: 'c2hvcnQ=' }, 'a value that is not a key in base64'], [{ ...FILE, value: 'not base64 at all, but long enough' }, 'a value that is not a key in base64'], [{ ...FILE, value: `${FILE.value}\n` }, 'a value that is not a key in base64'],
  ] as const) {
    const found = file(value)
    test.match(found, said)
    test.notMatch(JSON.stringify(found), FILE.value)
  }
  test.match(KEY_FILE_ALLOWED, /^JSON with signedObjectId, .*, signedVersion and value$/)
})

void t.test('the service\'s reply', async (test) => {
  for (const xml of [xmlOf(), `\uFEFF<?xml version="1.0" encoding="utf-8"?>\r\n${xmlOf()}\r\n`, xmlOf('<SignedDelegatedUserTid></SignedDelegatedUserTid>'), xmlOf('<Other>x</Other>')]) test.strictSame(opened(keyInReply(xml)), FILE)
  test.strictSame(opened(keyInReply(xmlOf('<SignedDelegatedUserTid> user </SignedDelegatedUserTid>'))), { ...FILE, signedDelegatedUserTenantId: 'user' })
  test.strictSame(opened(keyInReply(xmlOf('', { ...FIELDS, signedStartsOn: '2026-11-24T00:00:00.1234567Z' }))), { ...FILE, signedStartsOn: '2026-11-24T00:00:00.1234567Z' }, 'texts as they are')
})

void t.test('a reply without a key', async (test) => {
  for (const xml of ['', '<Error><Code>AuthenticationFailed</Code></Error>', xmlOf().replace('<Value>', '<value>'), xmlOf().replace(/<Value>.*<\/Value>/, '<Value>x</Value>'), xmlOf().replace('</SignedOid>', ''), JSON.stringify(FILE)]) test.equal(keyInReply(xml), undefined)
  for (const element of Object.values(ELEMENTS)) test.equal(keyInReply(xmlOf().replace(element, 'Gone')), undefined, element)
})

void t.test('a key prints as nothing', async (test) => {
  const printed = inspect(keyInReply(xmlOf()), { depth: 9, showHidden: true }) + JSON.stringify(file(FILE))
  test.notMatch(printed, FILE.value.slice(0, 10))
})
