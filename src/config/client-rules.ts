// Who may use a name by its client certificate: what `tls.clients` and `apis[].clients` leave open, and where they contradict
// themselves. A list of names beside `verify: none` would let everyone pass, so it is a fault and never ignored
// (contract sections 3.1, 3.4 and 3.10; security.md F2).
import type { Fault } from './fault.ts'
import type { ClientsConfig } from './schema.ts'
import type { Draft } from './upstream.ts'

type Verify = ClientsConfig['verify']
interface Clients { readonly verify?: Verify | undefined; readonly allow?: unknown }

/** Returns what `apis[].clients` asks of clients: a list of names demands a certificate unless `verify` says otherwise. */
export function verifyOf({ verify, allow }: Clients): Verify {
  return verify ?? (allow === undefined ? 'none' : 'required')
}

/** Returns the faults in the rules for client certificates; `faults` are those of single values. */
export function clientFaults(draft: Draft, faults: readonly Fault[]): Fault[] {
  return [...listsOfNobody(draft), ...emptyRules(draft, faults), ...withoutAuthority(draft)]
}

/** Returns a warning for each key about client certificates that decides nothing. */
export function clientWarnings(draft: Draft): Fault[] {
  const { tls } = draft
  const idle = (['ca', 'crl'] as const).filter((key) => !asks(draft) && tls?.clients?.[key] !== undefined)
  return [
    ...idle.map((key) => ({ path: `tls.clients.${key}`, found: 'no effect', allowed: 'with verify optional or required' })),
    ...(tls?.clients?.allow !== undefined && overridden(draft)
      ? [{ path: 'tls.clients.allow', found: 'no effect', allowed: 'with a name that has no clients of its own' }] : []),
  ]
}

function listsOfNobody({ tls, apis = [] }: Draft): Fault[] {
  const rules = [{ path: 'tls.clients', clients: tls?.clients }, ...apis.map((api, index) => ({ path: `apis[${index}].clients`, clients: api?.clients }))]
  return rules.flatMap(({ path, clients }) => clients?.allow === undefined || clients.verify !== 'none' ? []
    : [{ path: `${path}.allow`, found: 'a list with verify: none, which lets everyone pass', allowed: 'with verify optional or required' }])
}

/** A section that says nothing replaces the rules for all names by none: nobody who leaves it empty means that. */
function emptyRules({ apis = [] }: Draft, faults: readonly Fault[]): Fault[] {
  const empty = (clients: Clients | undefined, index: number): boolean =>
    clients !== undefined && Object.keys(clients).length === 0 && !faults.some(({ path }) => path.startsWith(`apis[${index}].clients`))
  return apis.flatMap((api, index) => !empty(api?.clients, index) ? []
    : [{ path: `apis[${index}].clients`, found: 'an empty section', allowed: 'verify, allow or both' }])
}

function withoutAuthority(draft: Draft): Fault[] {
  return asks(draft) && draft.tls?.clients?.ca === undefined
    ? [{ path: 'tls.clients.ca', found: 'nothing', allowed: 'the authorities of client certificates, where one may be asked for' }] : []
}

/** Returns whether any name may ask for a client certificate. */
function asks({ tls, apis = [] }: Draft): boolean {
  const wishes = [tls?.clients?.verify, ...apis.map((api) => (api?.clients === undefined ? undefined : verifyOf(api.clients)))]
  return wishes.some((verify) => verify === 'optional' || verify === 'required')
}

function overridden({ storage, apis = [] }: Draft): boolean {
  return storage === undefined && apis.length > 0 && apis.every((api) => api?.clients !== undefined)
}
