// The IPsec policy: which of Azure's values are strong enough, and how each is called in an ARM template and in strongSwan.
import type { Ipsec, PlanFault } from './plan.ts'

interface Cipher {
  /** strongSwan's name. */
  readonly name: string
  /** It authenticates as well, so ESP needs no integrity algorithm beside it. */
  readonly authenticates: boolean
}

const CIPHERS: Readonly<Record<string, Cipher>> = {
  GCMAES256: { name: 'aes256gcm16', authenticates: true },
  GCMAES128: { name: 'aes128gcm16', authenticates: true },
  AES256: { name: 'aes256', authenticates: false },
  AES192: { name: 'aes192', authenticates: false },
  AES128: { name: 'aes128', authenticates: false },
}
const INTEGRITIES: Readonly<Record<string, string>> = { SHA384: 'sha384', SHA256: 'sha256' }
const DH_GROUPS: Readonly<Record<string, string>> = { ECP384: 'ecp384', ECP256: 'ecp256', DHGroup14: 'modp2048', DHGroup2048: 'modp2048', DHGroup24: 'modp2048s256' }
const PFS_GROUPS: Readonly<Record<string, string>> = { ECP384: 'ecp384', ECP256: 'ecp256', PFS2048: 'modp2048', PFS14: 'modp2048', PFS24: 'modp2048s256' }

const KNOWN: Readonly<Record<keyof Ipsec, Readonly<Record<string, unknown>>>> = { encryption: CIPHERS, integrity: INTEGRITIES, dhGroup: DH_GROUPS, pfsGroup: PFS_GROUPS }

/** Values that devices and Azure still know, and that protect nothing worth protecting. */
const WEAK = /^(?:none|3?des3?|md5|sha-?1|dhgroup[125]|pfs[12]|modp(?:768|1024|1536)|pfsmm)$/i
/** RFC 8247 section 2.4: its parameters cannot be verified. */
const DOUBTFUL: ReadonlySet<string> = new Set(['DHGroup24', 'PFS24'])

/** Returns a fault for each value that is weak or unknown, and for a pair that Azure does not take. */
export function ipsecFaults(ipsec: Ipsec): PlanFault[] {
  const faults = KEYS.filter((key) => !Object.hasOwn(KNOWN[key], ipsec[key])).map((key) => ({
    path: `network.ipsec.${key}`, found: `${ipsec[key]}, which is ${WEAK.test(ipsec[key]) ? 'too weak' : 'unknown'}`, allowed: `one of ${Object.keys(KNOWN[key]).join(', ')}`,
  }))
  const pair = CIPHERS[ipsec.encryption]?.authenticates === false && ipsec.integrity === 'SHA384'
  return [...faults, ...(pair ? [{ path: 'network.ipsec.integrity', found: `SHA384 with the encryption ${ipsec.encryption}, which Azure's ESP does not have`, allowed: 'SHA256, or the encryption GCMAES256 or GCMAES128' }] : [])]
}

const KEYS = ['encryption', 'integrity', 'dhGroup', 'pfsGroup'] as const

/** Returns a warning for each value that is better avoided. */
export function ipsecWarnings(ipsec: Ipsec): PlanFault[] {
  return KEYS.filter((key) => DOUBTFUL.has(ipsec[key])).map((key) => ({ path: `network.ipsec.${key}`, found: `${ipsec[key]}, whose parameters nobody can verify (RFC 8247)`, allowed: 'ECP384 or ECP256' }))
}

/** Returns the policy as ARM's `ipsecPolicies` has it. */
export function armPolicy({ encryption, integrity, dhGroup, pfsGroup }: Ipsec): Readonly<Record<string, string | number>> {
  return {
    saLifeTimeSeconds: 27_000,
    saDataSizeKilobytes: 102_400_000,
    ipsecEncryption: encryption,
    ipsecIntegrity: CIPHERS[encryption]?.authenticates === true ? encryption : integrity,
    ikeEncryption: encryption,
    ikeIntegrity: integrity,
    dhGroup,
    pfsGroup,
  }
}

/** Returns strongSwan's proposals for IKE and ESP. */
export function swanProposals({ encryption, integrity, dhGroup, pfsGroup }: Ipsec): { readonly ike: string; readonly esp: string } {
  const cipher = CIPHERS[encryption]
  const hash = INTEGRITIES[integrity] ?? ''
  const together = cipher?.authenticates === true
  return {
    ike: [cipher?.name, together ? `prf${hash}` : hash, DH_GROUPS[dhGroup]].join('-'),
    esp: [cipher?.name, ...(together ? [] : [hash]), PFS_GROUPS[pfsGroup]].join('-'),
  }
}
