// A second implementation of signing and verifying, written from spec/sas.md alone and sharing no code with src/: what the
// service would say about a query. Plain and slow on purpose.
import { createHmac } from 'node:crypto'

export type Service = 'blob' | 'dfs' | 'file' | 'queue' | 'table'

export interface Issue {
  readonly service: Service
  readonly account: string
  /** Decoded, with the leading slash. */
  readonly path: string
  readonly params: readonly (readonly [string, string])[]
  readonly headers?: Readonly<Record<string, string>>
}

/** Spec/sas.md 5, as one list of lines put together by questions. */
export function secondText({ service, account, path, params, headers = {} }: Issue): string {
  const of = (name: string): string => params.find(([key]) => key === name)?.[1] ?? ''
  const has = (name: string): boolean => params.some(([key]) => key === name)
  const sv = of('sv')
  const blob = service === 'blob' || service === 'dfs'
  const rsc = ['rscc', 'rscd', 'rsce', 'rscl', 'rsct'].map(of)

  if (has('ss') || has('srt')) {
    const lines = [account, of('sp'), of('ss'), of('srt'), of('st'), of('se'), of('sip'), of('spr'), sv]
    if (sv >= '2020-12-06') lines.push(of('ses'))
    return `${lines.join('\n')}\n`
  }

  const lines = [of('sp'), of('st'), of('se'), secondResource(service, account, path, of)]
  const delegated = has('skoid')
  if (delegated) {
    lines.push(of('skoid'), of('sktid'), of('skt'), of('ske'), of('sks'), of('skv'))
    if (blob && sv >= '2020-02-10') lines.push(of('saoid'), of('suoid'), of('scid'))
    if (sv >= '2025-07-05') lines.push(of('skdutid'), of('sduoid'))
  } else lines.push(of('si'))
  lines.push(of('sip'), of('spr'), sv)
  if (blob && sv >= '2018-11-09') {
    lines.push(of('sr'), of('sr') === 'bs' ? of('snapshot') : of('sr') === 'bv' ? of('versionid') : '')
    if (sv >= '2020-12-06') lines.push(of('ses'))
    if (delegated && sv >= '2026-04-06') {
      lines.push(namesIn(of('srh')).map((name) => `${name}:${headers[name] ?? ''}\n`).join(''))
      lines.push(namesIn(of('srq')).map((name) => `\n${name}:${of(name)}`).join(''))
    }
  }
  if (blob || service === 'file') lines.push(...rsc)
  if (service === 'table') lines.push(of('spk'), of('srk'), of('epk'), of('erk'))
  return lines.join('\n')
}

function secondResource(service: Service, account: string, path: string, of: (name: string) => string): string {
  const segments = path.split('/').slice(1)
  if (service === 'table') return `/table/${account}/${(of('tn') || path.slice(1).replace(/\(.*$/, '')).toLowerCase()}`
  if (service === 'queue') return `/queue/${account}/${segments[0] ?? ''}`
  if (service === 'file') return `/file/${account}/${of('sr') === 's' ? segments[0] ?? '' : segments.join('/')}`
  if (of('sr') === 'c') return `/blob/${account}/${segments[0] ?? ''}`
  if (of('sr') === 'd') return `/blob/${account}/${segments.slice(0, 1 + Number(of('sdd'))).join('/')}`
  return segments.length === 1 ? `/blob/${account}/$root/${segments[0] ?? ''}` : `/blob/${account}/${segments.join('/')}`
}

function namesIn(list: string): string[] {
  return list.split(',').filter((name) => name !== '')
}

export function secondSign(text: string, key: Buffer): string {
  return createHmac('sha256', key).update(text, 'utf8').digest('base64')
}

/** A query with its signature at the end, as an issuer would hand it out. */
export function issue(what: Issue, key: Buffer): string {
  const sig = secondSign(secondText(what), key)
  return [...what.params, ['sig', sig] as const].map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
}

/** Decoded pairs in their order. */
export function pairsOf(query: string): [string, string][] {
  return [...new URLSearchParams(query)]
}

/** Returns whether the service would take this query: one `sig`, and it fits one of the keys. */
export function secondAccepts(what: Omit<Issue, 'params'>, query: string, keys: readonly Buffer[]): boolean {
  const pairs = pairsOf(query)
  const given = pairs.filter(([name]) => name === 'sig')
  const text = secondText({ ...what, params: pairs })
  return given.length === 1 && keys.some((key) => secondSign(text, key) === given[0]?.[1])
}
