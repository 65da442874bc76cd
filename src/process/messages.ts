// What supervisor and workers say to each other, through the pipe between them and nowhere else: secrets go through it too.
import type { AddressInfo } from 'node:net'
import type { Counts } from '../admin/totals.ts'

/**
 * Where a worker finds the log: the supervisor's standard output under another number. As 0 to 2 it would be made to block
 * when a worker starts and again when it ends, by libuv and Node, for all who share it: a reader that stops would then stop
 * whoever writes.
 */
export const WORKER_LOG_FD = 3

export interface Bound {
  readonly tls: string
  readonly plain?: string
}

/** A user delegation key that a client fetched through a worker. */
export interface LearnedKey {
  readonly account: string
  /** The SDKs' field names, `value` in base64 among them. */
  readonly fields: Readonly<Record<string, string>>
}

export type FromWorker =
  | { readonly kind: 'learned'; readonly key: LearnedKey }
  /** `why` is what kept it from taking the configuration up; null where it did. */
  | { readonly kind: 'reloaded'; readonly why: string | null }
  | { readonly kind: 'listening'; readonly addresses: Bound }
  /** The worker cannot start; it ends by itself after this. */
  | { readonly kind: 'failed'; readonly why: string }
  /** A fault of its own: it drains, and another one should take its place at once. */
  | { readonly kind: 'leaving' }
  | { readonly kind: 'metrics'; readonly id: number; readonly counts: Counts }
  /** The worker has rehearsed: another one may begin. */
  | { readonly kind: 'rehearsed' }

/** What a worker is to run. It is given the files as the supervisor checked them, not what the disk holds by now. */
export interface WorkerOrders {
  readonly file: string
  /** Absolute path and base64 of each file, the configuration and its secrets; it stays between the two processes. */
  readonly contents: readonly (readonly [string, string])[]
  /** When the supervisor checked them, ms since the epoch. */
  readonly checkedAt: number
  /** Ports that the first worker got, where the configuration says 0. */
  readonly ports: { readonly tls?: number; readonly plain?: number }
  /** How many workers share the port and the limits. */
  readonly workers: number
  /** Session ticket keys in base64: the same for all, so that a client resumes whichever answers. */
  readonly ticketKeys: string
  /** User delegation keys that workers have learned. */
  readonly learned: readonly LearnedKey[]
  /** Rehearse before saying `listening`: nobody else takes traffic yet, so the gateway becomes ready with a warm worker. */
  readonly rehearseFirst: boolean
}

/** After `run`, which comes first, each may come at any time, while the worker still starts too. */
export type ToWorker =
  | { readonly kind: 'run'; readonly orders: WorkerOrders }
  /** To apply another configuration, and to say how that went. */
  | { readonly kind: 'reload'; readonly orders: WorkerOrders }
  | { readonly kind: 'metrics'; readonly id: number }
  /** Rehearse now, beside the traffic, and say `rehearsed`. */
  | { readonly kind: 'rehearse' }
  | { readonly kind: 'ticket-keys'; readonly keys: string }
  | { readonly kind: 'learned'; readonly key: LearnedKey }
  /** The audit log was rotated. */
  | { readonly kind: 'reopen' }
  | { readonly kind: 'drain' }

/** What is done with each kind of message. */
export type Handling<Message extends { readonly kind: string }> = { readonly [Kind in Message['kind']]: (message: Extract<Message, { readonly kind: Kind }>) => void }

/** Passes a message to what handles its kind. */
export function handle<Message extends { readonly kind: string }>(handling: Handling<Message>, message: Message): void {
  // What `kind` picks takes the message of that kind: the two types go together, which the compiler cannot follow.
  const handler = handling[message.kind as Message['kind']] as (message: Message) => void
  handler(message)
}

/** An address as HOST:PORT, IPv6 in brackets. */
export function addressText(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') return address ?? ''
  return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`
}

/** The port of such an address. */
export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}
