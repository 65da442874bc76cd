// Private ways (contract section 11.1): what the file alone can tell about addresses inside and outside of `via`.
import { isIP } from 'node:net'
import { insideOf, type Via } from '../network/via.ts'
import type { Fault } from './fault.ts'
import { farSides, type Draft, type FarSide } from './upstream.ts'

/** Returns a fault for each `connect` address outside of its `via`. */
export function viaFaults(draft: Draft): Fault[] {
  return farSides(draft).flatMap(connectOutside)
}

/** Returns a warning for each URL whose host is an address outside of its `via`. */
export function viaWarnings(draft: Draft): Fault[] {
  return farSides(draft).flatMap(addressOutside)
}

// Such a connection could never be made, so the file says two things at once. Names are judged when they are dialled.
function connectOutside({ path, endpoint: { connect, via } }: FarSide): Fault[] {
  return outside(connect?.host, via) ? [{ path: `${path}.connect`, found: `${connect?.host}, which is outside of via`, allowed: viaText(via) }] : []
}

function addressOutside({ urlPath, endpoint: { url, connect, via } }: FarSide): Fault[] {
  return connect === undefined && outside(url?.hostname, via)
    ? [{ path: urlPath, found: `${url?.hostname}, which is outside of via: every request is refused`, allowed: viaText(via) }] : []
}

type DraftVia = FarSide['endpoint']['via']

const ranges = (via: DraftVia): Via => typeof via === 'string' ? via : (via ?? []).filter((range) => range !== undefined)

function outside(host: string | undefined, via: DraftVia): boolean {
  return via !== undefined && host !== undefined && isIP(host) !== 0 && !insideOf(ranges(via))(host)
}

function viaText(via: DraftVia): string {
  return typeof via === 'string' ? 'a private address: RFC 1918 or fc00::/7' : `an address inside ${[ranges(via)].flat().join(', ')}`
}
