// A report as lines for people.
import type { GatewayVerdict, SasReport } from './inspect.ts'
import type { TokenFacts } from './facts.ts'
import { spanText } from './review.ts'

const WIDTH = 11
const PROTOCOLS: Readonly<Record<string, string>> = { 'https': 'https only', 'https,http': 'https and plain http' }
const OUTCOMES: Readonly<Record<GatewayVerdict['outcome'], string>> = {
  'refused': 'refuses it', 'unchanged': 'passes it as it is', 'tightened': 'passes it, tightened', 'passed-unverified': 'passes it unverified', 'no-sas': 'has nothing to judge', 'unknown': 'cannot be told',
}

/** The lines of one report, without line feeds. `now` is ms since the epoch. */
export function linesFor(report: SasReport, now: number): readonly string[] {
  const { url, account, service, token, signature, signatureSha256, key, gateway, outside, warnings } = report
  return [
    url,
    ...(token === null ? [] : tokenLines(token, `account ${account}, service ${service}`, now)),
    ...(token === null ? [] : row('signature', signature === 'right' ? `right, made with ${key}` : signature)),
    ...(signatureSha256 === null ? [] : row('sha-256', signatureSha256)),
    ...row('gateway', `${OUTCOMES[gateway.outcome]}${gateway.reason === null ? '' : ` (${gateway.reason})`}`, ...gateway.why),
    ...(outside === null ? [] : row('outside', outside.says)),
    ...(warnings.length === 0 ? [] : row('warnings', ...warnings)),
  ]
}

/** The verdict alone, for the sum of many. */
export function isRefused({ gateway }: SasReport): boolean {
  return gateway.outcome === 'refused'
}

function tokenLines(token: TokenFacts, whose: string, now: number): string[] {
  const { kind, version, resource, permissions, identifier, protocol, addresses, also } = token
  return [
    ...row('kind', `${kind ?? 'unknown'} SAS${version === null ? ', without a version' : `, version ${version}`}`),
    ...row('for', `${resource} (${whose})`),
    ...row('allows', ...(permissions.length === 0 ? [identifier === null ? 'nothing that it names' : `what the stored access policy ${identifier} says`] : permissions.map(({ letter, means }) => `${letter}  ${means}`))),
    ...row('valid', validity(token, now)),
    ...row('protocol', PROTOCOLS[protocol] ?? `${protocol}, which is no value that the service knows`),
    ...row('addresses', addresses ?? 'any'),
    ...(also.length === 0 ? [] : row('also', ...also)),
  ]
}

function validity({ startsOn, expiresOn, identifier }: TokenFacts, now: number): string {
  const from = startsOn === null ? 'from when it was made' : `from ${startsOn}`
  if (expiresOn === null) return `${from}${identifier === null ? ', to no time that can be read' : `, to when the stored access policy ${identifier} says`}`
  const left = Date.parse(expiresOn) - now
  const early = startsOn === null ? 0 : Date.parse(startsOn) - now
  const state = left <= 0 ? `expired ${spanText(-left)} ago` : early > 0 ? `begins in ${spanText(early)}` : `ends in ${spanText(left)}`
  return `${from} to ${expiresOn}: ${state}`
}

/** The first line has the label, the others stand under its text. */
function row(label: string, ...texts: readonly string[]): string[] {
  return texts.map((text, i) => `  ${(i === 0 ? label : '').padEnd(WIDTH)}${text}`)
}
