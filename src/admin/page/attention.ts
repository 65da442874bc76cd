// Needs attention, worst first: each rule looks at the view and says what, why it matters, what to do, and where on
// the page the rest stands. Level `bad` is for now, `warn` for soon, `note` for office hours.
import { counted, duration, percent } from './format.ts'
import { ADVICE } from './advice.ts'
import type { CertificateView, View } from './view.ts'

export type Level = 'bad' | 'warn' | 'note'

export interface Attention {
  readonly level: Level
  readonly what: string
  readonly todo: string
  /** What a screen reader is told where `what` has numbers that move. */
  readonly told?: string
  /** Id of the section with the rest. */
  readonly section: string
}

/** Days before its end from which a certificate is for now, for soon. Lists of revocation last days or hours: of those only the end is news. */
const DAYS = { bad: 3, warn: 30 } as const
const SHOWN = 3

/** How urgent a certificate's end is; undefined while it is not. */
export function urgencyOf({ use, daysLeft }: Pick<CertificateView, 'use' | 'daysLeft'>): 'bad' | 'warn' | undefined {
  if (daysLeft < (use === 'crl' ? 0 : DAYS.bad)) return 'bad'
  return use !== 'crl' && daysLeft < DAYS.warn ? 'warn' : undefined
}

const MISSING: Readonly<Record<string, Omit<Attention, 'section'>>> = {
  draining: { level: 'warn', what: 'The gateway is draining', todo: 'It was told to stop. Requests under way finish; new ones go elsewhere.' },
  listeners: { level: 'bad', what: 'The listeners are not bound', todo: 'Right after start this passes. Else: is a port taken? See standard error.' },
  workers: { level: 'bad', what: 'No worker carries traffic', todo: 'One is started again by itself. If it stays: the log lines “a worker ended”, and the memory limit.' },
  certificates: { level: 'bad', what: 'A certificate of ours has expired', todo: 'Put the renewed certificate and key in the files’ place; they are applied automatically.' },
}

type Rule = (view: View) => readonly Attention[]

const RULES: readonly Rule[] = [
  ({ missing, certificates }) => missing.filter((check) => check !== 'certificates' || !certificates.some(({ use, daysLeft }) => use === 'server' && daysLeft < 0)).map((check) => ({ ...(MISSING[check] ?? { level: 'bad', what: `Missing: ${check}`, todo: 'See /readyz.' }), section: check === 'certificates' ? 'certificates' : 'process' })),
  ({ certificates }) => certificates.flatMap((certificate) => {
    const { name, use, names: [first = use], daysLeft } = certificate
    const level = urgencyOf(certificate)
    const what = `${name} (${first}) ${daysLeft < 0 ? 'has expired' : `ends in ${counted(daysLeft, 'day')}`}`
    return level === undefined ? [] : [{ level, what, todo: 'Put the renewed file in its place; it is applied within two seconds.', section: 'certificates' }]
  }),
  ({ uncovered }) => (uncovered.length === 0 ? [] : [{
    level: 'bad', what: `No certificate covers ${uncovered.slice(0, SHOWN).join(', ')}${uncovered.length > SHOWN ? ` and ${uncovered.length - SHOWN} more` : ''}`,
    told: 'Names without a certificate', todo: 'Clients of these names cannot connect. Add a certificate that covers them to tls.certificates.', section: 'certificates',
  }]),
  ({ configuration: { reloads: [last] } }) => (last?.result !== 'failure' ? [] : [{
    level: 'bad', what: `The last reload was refused: ${last.faults[0]?.path ?? 'unknown'}`, section: 'configuration',
    todo: 'The old configuration stays in force. Fix the file, run tidegate check, send SIGHUP.',
  }]),
  ({ upstreams }) => upstreams.filter(({ health }) => health === 'failing' || health === 'some-failures').map(({ name, health, failures, requests, failed }) => ({
    level: health === 'failing' ? 'bad' : 'warn',
    what: `${name}: ${counted(failures.recent, 'request')} of ${requests.recent} failed (${failed.filter(({ recent }) => recent > 0).map(({ labels }) => labels['result']).join(', ')})`,
    told: `${name}: requests fail`,
    todo: `${ADVICE[`upstream-${failed[0]?.labels['result'] ?? ''}` as keyof typeof ADVICE] ?? ''} No restart is needed.`,
    section: 'upstreams',
  })),
  ({ workers, workersWanted }) => (workers.filter(({ listening }) => listening).length >= workersWanted ? [] : [{
    level: 'warn', what: `${workers.filter(({ listening }) => listening).length} of ${counted(workersWanted, 'worker')} running`,
    todo: 'It is started again by itself, with growing pauses. The log says how it ended.', section: 'process',
  }]),
  ({ shortOfMemory }) => (shortOfMemory === 0 ? [] : [{
    level: 'bad', what: `${counted(shortOfMemory, 'worker')} short of memory: new connections are turned away`,
    todo: 'What is open goes on. See who holds connections and large bodies; raise the memory limit, or add workers or replicas.', section: 'process',
  }]),
  ({ workerRestarts }) => (workerRestarts.recent === 0 ? [] : [{
    level: 'warn', what: `${counted(workerRestarts.recent, 'worker restart')} lately`, told: 'Workers restart',
    todo: 'SIGKILL is as a rule the memory limit; a line “uncaught” is a bug to report.', section: 'process',
  }]),
  ({ refusals }) => refusals.filter(({ reason, recent }) => recent > 0 && reason === 'unexpected').map(({ recent, todo = '' }) => ({ level: 'bad', what: `${counted(recent, 'request')} met a fault of the gateway’s own`, told: 'Requests meet a fault of the gateway’s own', todo, section: 'refusals' })),
  ({ refusals }) => refusals.filter(({ reason, recent }) => recent > 0 && reason === 'plaintext-http').map(({ recent, todo = '' }) => ({ level: 'warn', what: `${counted(recent, 'plain HTTP request')}: credentials were exposed`, told: 'Plain HTTP requests came', todo, section: 'refusals' })),
  ({ refusals }) => refusals.filter(({ blame, recent, reason }) => recent > 0 && blame === 'us' && reason !== 'unexpected' && reason !== 'draining').map(({ reason, recent, todo = '' }) => ({ level: 'warn', what: `${reason}: ${counted(recent, 'refusal')}, ours to fix`, told: `Refusals ${reason}`, todo, section: 'refusals' })),
  ({ linesDropped }) => (linesDropped.recent === 0 ? [] : [{ level: 'warn', what: `${counted(linesDropped.recent, 'log line')} lost`, told: 'Log lines are lost', todo: 'The log’s reader is too slow, or its disk is full. Requests are not held up.', section: 'process' }]),
  ({ versionWarnings }) => versionWarnings.map((warning) => ({ level: 'warn', what: warning, todo: 'Upgrade: known holes are fixed in the version named.', section: 'process' })),
  ({ configuration: { warnings } }) => (warnings.length === 0 ? [] : [{ level: 'note', what: counted(warnings.length, 'warning of the configuration', 'warnings of the configuration'), todo: 'Nothing is broken; each says what would be better.', section: 'configuration' }]),
  ({ openIssuers }) => (openIssuers.length === 0 ? [] : [{ level: 'note', what: `Tokens without spr=https: ${[...new Set(openIssuers.map(({ account }) => account))].slice(0, SHOWN).join(', ')}`, todo: 'The gateway tightens them; past it they work over plain HTTP. Have their issuers set spr=https.', section: 'tokens' }]),
]

const ORDER: readonly Level[] = ['bad', 'warn', 'note']

/** Given a view, returns what needs attention, worst first; empty where nothing does. */
export function attentionOf(view: View): Attention[] {
  return RULES.flatMap((rule) => rule(view)).toSorted((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level))
}

/** The state in a word and in a sentence, for banner and title. */
export interface Headline {
  readonly level: 'good' | Level
  readonly word: string
  readonly sentence: string
}

/** Returns the headline for a view and what needs attention. Never `good` while something is urgent. */
export function headlineOf(view: View, attention: readonly Attention[]): Headline {
  const now = attention.filter(({ level }) => level === 'bad').length
  const passed = view.requests.recent === 0 ? '' : `, ${percent(1 - refusedShare(view))} passed`
  const up = `Up for ${duration((view.now - view.startedAt) / 1000)}; ${counted(view.requests.recent, 'request')} in the last ${duration(view.windowSeconds)}${passed}.`
  if (view.missing.includes('draining')) return { level: 'warn', word: 'Draining', sentence: 'No new traffic is taken; requests under way finish.' }
  if (view.missing.length > 0) return { level: 'bad', word: 'Not ready', sentence: `/readyz says 503: ${view.missing.join(', ')}.` }
  if (now > 0) return { level: 'bad', word: 'Ready, with trouble', sentence: up }
  return { level: 'good', word: 'Ready', sentence: up }
}

/** Of requests alone: what ended at the door or in the handshake was none. */
function refusedShare({ refusals, requests }: View): number {
  const refused = refusals.filter(({ stage }) => stage !== 'door' && stage !== 'handshake').reduce((sum, { recent }) => sum + recent, 0)
  return Math.min(1, refused / requests.recent)
}
