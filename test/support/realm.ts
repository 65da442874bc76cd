// What a journey stands on: a folder of its own with an authority, account keys, certificates and configurations.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { createAuthority, type Authority, type Issued, type Wish } from './authority.ts'

export const ACCOUNT = 'tideoffice'
/** The storage domain of a gate in a journey; `*.localhost` needs no hosts file in many systems, and `lookup` elsewhere. */
export const DOMAIN = 'localhost'
export const SERVICES = ['blob', 'dfs', 'file', 'queue', 'table'] as const
export type Service = typeof SERVICES[number]

export const storageHost = (service: Service, account: string = ACCOUNT): string => `${account}.${service}.${DOMAIN}`
/** The upstream's own name for a service; never the gate's. */
export const upstreamHost = (service: Service, account: string = ACCOUNT): string => `${account}.${service}.upstream.example`

export interface Pair extends Issued {
  readonly certFile: string
  readonly keyFile: string
}

export interface Realm {
  readonly folder: string
  readonly authority: Authority
  readonly caFile: string
  /** Base64, as an account has them. */
  readonly key1: string
  readonly key2: string
  /** Writes a file, for its owner alone; returns its path. */
  write(name: string, text: string): string
  /** Issues a certificate by the realm's authority, or by `by`, and writes it. */
  certificate(name: string, wish: Wish, by?: Authority): Promise<Pair>
}

export interface RealmOptions {
  readonly key1?: string
  readonly key2?: string
}

/** A new realm, gone at the end of `t`. */
export async function createRealm(t: Test, { key1 = accountKey(), key2 = accountKey() }: RealmOptions = {}): Promise<Realm> {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const write = (name: string, text: string): string => {
    const file = join(folder, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }
  const authority = await createAuthority({ name: 'Tidegate test authority' })
  const certificate = async (name: string, wish: Wish, by = authority): Promise<Pair> => {
    const issued = await by.issue(wish)
    return { ...issued, certFile: write(`${name}.pem`, issued.cert), keyFile: write(`${name}.key`, issued.key) }
  }
  write('key1', `${key1}\n`)
  write('key2', `${key2}\n`)
  return { folder, authority, caFile: write('ca.pem', authority.pem), key1, key2, write, certificate }
}

const accountKey = (): string => randomBytes(64).toString('base64')
