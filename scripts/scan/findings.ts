// What the scanners found, and what of it needs attention: everything worse than OK, unless a reason is written down here.

/** As testssl.sh writes it with `--jsonfile`, and as sslscan's are put. */
export interface Finding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

interface Explanation {
  readonly id: RegExp
  /** Only where the finding says this. */
  readonly finding?: RegExp
  readonly why: string
}

/** What is not a fault of the gateway, each with its reason. */
const EXPLAINED: readonly Explanation[] = [
  { id: /^cert_revocation/, why: 'the development authority names no place for revocation lists; a real one does' },
  { id: /^OCSP_|^cert_ocsp/, why: 'no OCSP: public authorities are giving it up, and the certificate is the operator\'s' },
  { id: /^certificate_transparency/, why: 'the development authority is in no log' },
  { id: /^DNS_CAArecord/, why: 'a local name has no DNS' },
  { id: /^security_headers$/, why: 'for pages in a browser; the reply is the upstream\'s, and the gateway adds Strict-Transport-Security alone (contract section 5)' },
  { id: /^engine_problem$/, why: 'the scanner\'s own OpenSSL' },
  { id: /^sessionresumption_ticket$/, finding: /connect problem/, why: 'testssl.sh closes before a ticket of TLS 1.3 comes; test/journeys/names-and-sessions-open-their-own-site.test.ts resumes' },
]

const FINE: ReadonlySet<string> = new Set(['OK', 'INFO', 'DEBUG'])

export interface Verdict {
  /** Worse than OK, and nothing explains it. */
  readonly bad: readonly Finding[]
  readonly explained: readonly (Finding & { readonly why: string })[]
  /** As testssl.sh gives it; undefined where it gave none. */
  readonly grade: string | undefined
  readonly count: number
}

/** Sorts what was found. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  const worse = findings.filter(({ severity }) => !FINE.has(severity))
  const reasons = worse.map((it) => ({ ...it, why: EXPLAINED.find(({ id, finding }) => id.test(it.id) && (finding?.test(it.finding) ?? true))?.why }))
  return {
    bad: reasons.filter(({ why }) => why === undefined).map(({ id, severity, finding }) => ({ id, severity, finding })),
    explained: reasons.flatMap(({ why, ...it }) => (why === undefined ? [] : [{ ...it, why }])),
    grade: findings.find(({ id }) => id === 'overall_grade')?.finding,
    count: findings.length,
  }
}

const OLD = /<protocol type="(?:ssl" version="[23]|tls" version="1\.[01])" enabled="1"/g
const WRONG: readonly (readonly [id: string, pattern: RegExp])[] = [
  ['sslscan_renegotiation', /<renegotiation supported="1"/], ['sslscan_compression', /<compression supported="1"/], ['sslscan_heartbleed', /<heartbleed [^>]*vulnerable="1"/],
  ['sslscan_cipher', /<cipher [^>]*strength="(?!acceptable|strong)[a-z]+"/], ['sslscan_signature', /<signature-algorithm>[^<]*(?:md5|sha1)/i],
]

/** Reads sslscan's XML: what it must not have found, and what it must have. */
export function sslscanFindings(xml: string): Finding[] {
  const bad = [...xml.matchAll(OLD)].map(([finding]) => ({ id: 'sslscan_protocol', severity: 'HIGH', finding }))
  const wrong = WRONG.flatMap(([id, pattern]) => (pattern.exec(xml) ?? []).slice(0, 1).map((finding) => ({ id, severity: 'HIGH', finding })))
  const missing = ['1.2', '1.3'].filter((version) => !xml.includes(`<protocol type="tls" version="${version}" enabled="1"`)).map((version) => ({ id: 'sslscan_protocol', severity: 'HIGH', finding: `TLS ${version} is not served` }))
  const fallback = xml.includes('<fallback supported="1"') ? [] : [{ id: 'sslscan_fallback', severity: 'MEDIUM', finding: 'no fallback signal' }]
  const ciphers = [...xml.matchAll(/<cipher [^>]*cipher="([^"]+)"/g)].map(([, finding = '']) => ({ id: 'sslscan_cipher', severity: 'OK', finding }))
  return [...bad, ...wrong, ...missing, ...fallback, ...ciphers]
}
