// Makes a shared access signature, https only, out of a wish (spec/sas.md 17). Everything that is not allowed is told at once.
import type { KeyObject } from 'node:crypto'
import { SERVICES, type ServiceName } from '../../azure/services.ts'
import { type SasKind, type SasName, type SasValues, noValues } from '../fields.ts'
import { type Place, accountPlace, pathOf, servicePlace } from './place.ts'
import { type Bounds, accountTermsOf, termsOf, versionFor } from './terms.ts'
import { type Faults, type Wish, WishFaults, checkTexts, fault } from './wish.ts'
import { sign } from '../signature.ts'
import type { UserDelegationKey } from '../signing-keys.ts'
import { layoutFor, stringToSign } from '../string-to-sign.ts'

/** What a token is made with. */
export interface MintGround extends Bounds {
  readonly account: string
  /** The gateway's own URL of each of the account's services: `https://HOST[:PORT]`. */
  readonly bases: Readonly<Partial<Record<ServiceName, string>>>
  /** The newest key of the account; undefined where we have none. Not used beside a user delegation key. */
  readonly key: KeyObject | undefined
}

export interface Minted {
  readonly url: string
  /** The SAS alone, without `?`; a snapshot or version of a blob is in the URL and not in here. */
  readonly token: string
  /** As in `se`; null where a stored access policy says it. */
  readonly expires: string | null
  readonly stringToSign: string
}

/** The order of 17.1. */
const WRITTEN: readonly SasName[] = [
  'sv', 'ss', 'srt', 'sr', 'sdd', 'rscc', 'rscd', 'rsce', 'rscl', 'rsct', 'tn', 'st', 'se', 'sp', 'sip', 'spr', 'spk', 'srk', 'epk', 'erk', 'si', 'ses',
  'skoid', 'sktid', 'skt', 'ske', 'sks', 'skv', 'skdutid',
]

/** Signs what is wished with the user delegation key, else with the account's. Throws WishFaults with every fault at once. */
export function mintSas(wish: Wish, ground: MintGround): Minted {
  const faults: Faults = []
  checkTexts(wish, faults)
  const account = wish['account-sas'] === true
  const served = Object.keys(ground.bases) as ServiceName[]
  const place = account ? accountPlace(wish, served, faults) : servicePlace(wish, faults)
  const values = account ? accountTermsOf(wish, faults) : {}
  if (place === undefined) throw new WishFaults(faults)
  Object.assign(values, partsOf(wish, place, ground, faults))
  const secret = secretFor(place, ground, faults)
  const base = ground.bases[place.service]
  if (base === undefined) fault(faults, 'service', place.service, `a service that the account has here: ${served.join(', ')}`)
  if (faults.length > 0 || base === undefined || secret === undefined) throw new WishFaults(faults)
  return finish(place, values, secret, base, ground)
}

/** Steps 1 to 12. */
function partsOf(wish: Wish, place: Place, ground: MintGround, faults: Faults): Partial<SasValues> {
  const { delegationKey } = ground
  return {
    ...termsOf(wish, place, ground, faults),
    sv: versionFor(wish, place, ground, faults),
    sr: place.sr,
    sdd: place.depth === undefined ? undefined : String(place.depth),
    tn: place.resource === 'table' ? place.name : undefined,
    spr: 'https',
    ...(delegationKey === undefined ? {} : keyFields(delegationKey)),
  }
}

function keyFields(key: UserDelegationKey): Partial<SasValues> {
  return {
    skoid: key.signedObjectId, sktid: key.signedTenantId, skt: wholeSeconds(key.signedStartsOn), ske: wholeSeconds(key.signedExpiresOn), sks: key.signedService,
    skv: key.signedVersion, skdutid: key.signedDelegatedUserTenantId,
  }
}

/** A file that was written with JSON.stringify has milliseconds that the service never gave and that no SDK signs. */
function wholeSeconds(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z')
}

function secretFor({ service, resource }: Place, { key, delegationKey }: MintGround, faults: Faults): KeyObject | undefined {
  if (delegationKey === undefined) return key ?? fault(faults, 'account', 'an account without keys', 'one with keys; or --user-delegation-key FILE')
  if (resource === 'account' || resource === 'table') return fault(faults, 'user-delegation-key', 'it', `nothing for ${resource === 'account' ? '--account-sas' : '--service table'}`)
  const letter = SERVICES[service].accountSasLetter
  if (delegationKey.signedService !== letter) return fault(faults, 'user-delegation-key', `a key for service ${delegationKey.signedService}`, `one for ${letter}`)
  return delegationKey.key
}

/** Step 13, and the URL. */
function finish(place: Place, values: Partial<SasValues>, secret: KeyObject, base: string, { account, delegationKey }: MintGround): Minted {
  const word = SERVICES[place.service].resourceWord
  const kind: SasKind = place.resource === 'account' ? 'account' : delegationKey === undefined ? 'service' : 'user-delegation'
  const layout = layoutFor(kind, word, values.sv ?? '')
  if (layout === undefined) throw new Error(`no layout of ${kind} for ${word}`)
  const name = word === 'table' ? place.name.toLowerCase() : place.name
  const text = stringToSign(layout, { ...noValues(), ...values, ACCOUNT: account, RES: `/${word}/${account}/${name}`, SNAP: place.companion?.value ?? '' })
  const parts = WRITTEN.flatMap((field) => values[field] === undefined ? [] : [`${field}=${encodeURIComponent(values[field])}`])
  const token = [...parts, `sig=${encodeURIComponent(sign(text, secret))}`].join('&')
  const { companion } = place
  const beside = companion === undefined ? '' : `${companion.name}=${encodeURIComponent(companion.value)}&`
  return { url: `${base}${pathOf(place)}?${beside}${token}`, token, expires: values.se ?? null, stringToSign: text }
}
