// What the decision about a SAS costs in this process, in microseconds a request: node bench/admission.ts
import { createSecretKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type SasFacts, type SasPolicy, admitSas, createKeptResults } from '../src/sas/admission.ts'
import { DelegationKeys } from '../src/sas/signing-keys.ts'

interface Vector { readonly name: string; readonly url: string; readonly keyBase64: string; readonly account: string }

const { vectors, clock } = JSON.parse(readFileSync(new URL('../test/vectors/sas-vectors.json', import.meta.url), 'utf8')) as { vectors: Vector[]; clock: string }
const key = createSecretKey(Buffer.from(vectors[0]?.keyBase64 ?? '', 'base64'))
const policy: SasPolicy = {
  account: 'tideoffice', keys: { account: [{ slot: 'key1', key }], delegation: new DelegationKeys() }, withoutKey: 'refuse', sip: 'remove', skew: 300_000,
}

function factsOf(name: string): SasFacts {
  const url = new URL(vectors.find((vector) => vector.name === name)?.url ?? '')
  return { service: 'blob', decodedPath: decodeURIComponent(url.pathname), query: url.search.slice(1), now: Date.parse(clock), clientAddress: '203.0.113.65', header: () => undefined }
}

/** The median of nine rounds. One place for two tokens that come in turn keeps nothing; many places keep both. */
function measure(name: string, tokens: readonly [SasFacts, SasFacts], places: number): void {
  const rounds = Array.from({ length: 9 }, () => {
    const count = 50_000
    const kept = createKeptResults(places)
    const begun = process.hrtime.bigint()
    for (let i = 0; i < count; i += 1) admitSas(tokens[i % 2 === 0 ? 0 : 1], policy, kept)
    return Number(process.hrtime.bigint() - begun) / count / 1000
  }).toSorted((a, b) => a - b)
  console.log(`${name.padEnd(24)} ${(rounds[4] ?? 0).toFixed(2)} us`)
}

const plain: SasFacts = { ...factsOf('blob-default-version-no-spr'), query: 'restype=container&comp=list&prefix=2026%2F&maxresults=5000' }
const service = [factsOf('blob-default-version-no-spr'), factsOf('blob-2020-12-06-no-spr')] as const
const account = [factsOf('account-2020-12-06-no-spr'), factsOf('account-2015-04-05-no-spr')] as const

measure('no SAS', [plain, plain], 1)
measure('service SAS, unkept', service, 1)
measure('service SAS, kept', service, 1000)
measure('account SAS, unkept', account, 1)
measure('account SAS, kept', account, 1000)
