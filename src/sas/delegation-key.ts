// Reads a user delegation key: from a file with the SDKs' field names, or from the service's reply to
// `POST /?restype=service&comp=userdelegationkey` (spec/sas.md 12).
import { createSecretKey } from 'node:crypto'
import type { UserDelegationKey } from './signing-keys.ts'

type TextField = Exclude<keyof UserDelegationKey, 'key'>

/** The service's element for each of the SDKs' fields. */
const ELEMENTS: Readonly<Record<TextField, string>> = {
  signedObjectId: 'SignedOid',
  signedTenantId: 'SignedTid',
  signedStartsOn: 'SignedStart',
  signedExpiresOn: 'SignedExpiry',
  signedService: 'SignedService',
  signedVersion: 'SignedVersion',
  signedDelegatedUserTenantId: 'SignedDelegatedUserTid',
}
const FIELDS = Object.keys(ELEMENTS) as TextField[]
const OPTIONAL: TextField = 'signedDelegatedUserTenantId'
/** A reply with a key has some 500 bytes. */
export const KEY_REPLY_LIMIT = 16384
const SHORTEST = 16

/** Given the body of the service's reply, returns the key, or undefined when there is none in it. */
export function keyInReply(body: string): UserDelegationKey | undefined {
  const element = (name: string): string | undefined => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1]?.trim()
  return assemble((field) => element(ELEMENTS[field]), element('Value'))
}

/** Given the bytes of a key file, returns the key, or what is wrong with the file in words that hold nothing of it. */
export function keyInFile(bytes: Buffer): UserDelegationKey | string {
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch {
    return 'something that is not JSON'
  }
  if (typeof json !== 'object' || json === null) return 'something that is not a JSON object'
  const text = (name: string): string | undefined => {
    const value = (json as Record<string, unknown>)[name]
    return typeof value === 'string' ? value : undefined
  }
  const missing = [...FIELDS.filter((field) => field !== OPTIONAL), 'value'].filter((name) => text(name) === undefined)
  if (missing.length > 0) return `no ${missing.join(', no ')}`
  return assemble((field) => wholeSeconds(field, text(field)), text('value')) ?? 'a value that is not a key in base64'
}

/** An SDK's key written as JSON has fractions of a second in its times; the SDKs sign them in whole seconds. */
function wholeSeconds(field: TextField, text: string | undefined): string | undefined {
  return field === 'signedStartsOn' || field === 'signedExpiresOn' ? text?.replace(/\.\d+Z$/, 'Z') : text
}

/** What a key file must hold. */
export const KEY_FILE_ALLOWED = `JSON with ${FIELDS.filter((field) => field !== OPTIONAL).join(', ')} and value`

function assemble(field: (name: TextField) => string | undefined, value: string | undefined): UserDelegationKey | undefined {
  if (value === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return undefined
  const secret = Buffer.from(value, 'base64')
  const texts = FIELDS.map((name) => [name, field(name)] as const)
  if (secret.length < SHORTEST || texts.some(([name, text]) => text === undefined && name !== OPTIONAL)) return undefined
  const known = Object.fromEntries(texts.filter(([, text]) => text !== undefined && text !== ''))
  return { ...(known as Record<TextField, string>), key: createSecretKey(secret) }
}
