// What supervisor and workers say to each other. Small, and nothing secret: keys are read by each process itself.
import type { AddressInfo } from 'node:net'
import type { ExposedValues } from '../observe/family.ts'

export interface Bound {
  readonly tls: string
  readonly plain?: string
}

export type FromWorker =
  | { readonly kind: 'listening'; readonly addresses: Bound }
  /** The worker cannot start; it ends by itself after this. */
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'metrics'; readonly id: number; readonly values: ExposedValues[] }

export type ToWorker =
  | { readonly kind: 'metrics'; readonly id: number }
  | { readonly kind: 'drain' }

/** An address as HOST:PORT, IPv6 in brackets. */
export function addressText(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') return address ?? ''
  return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`
}

/** The port of such an address. */
export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}
