// Which mode a container or queue of an account has, and with which settings (spec/client-side-encryption.md 7.1, 7.2).
import { PatternTable } from '../azure/patterns.ts'
import type { KeyRing } from './key-ring.ts'

export type Mode = 'transparent' | 'client' | 'off'

/** Settings that containers and queues share. */
interface Rule {
  readonly match: string
  readonly mode: Mode
  readonly unencrypted: 'refuse' | 'serve'
  readonly clientEncrypted: 'accept' | 'refuse'
  /** Key ids that a writer may name in mode `client`; undefined for every one. */
  readonly keyIds: ReadonlySet<string> | undefined
  /** Bytes. */
  readonly maxRegion: number
}

export interface ContainerRule extends Rule {
  readonly blocks: 'spool' | 'refuse'
  /** Bytes of one blob. */
  readonly spoolLimit: number
  readonly requireLengthRecord: boolean
}

export interface QueueRule extends Rule {
  readonly onBadMessage: 'refuse' | 'skip'
  readonly envelope: 'json' | 'base64'
}

/** What is configured for one account. */
export interface CsePolicy {
  readonly account: string
  readonly ring: KeyRing
  readonly containers: RuleTable<ContainerRule>
  readonly queues: RuleTable<QueueRule>
}

/** Rules by their patterns. */
export type RuleTable<R> = PatternTable<R>

/** Makes the table of rules; the first that matches a name decides. */
export function ruleTable<R extends Rule>(rules: readonly R[]): RuleTable<R> {
  return new PatternTable(rules.map((rule) => [rule.match, rule] as const))
}

/** Returns the first rule that matches a name, unless its mode is `off`: undefined where nothing is encrypted. */
export function ruleFor<R extends Rule>(rules: RuleTable<R>, name: string): R | undefined {
  const rule = rules.first(name)
  return rule === undefined || rule.mode === 'off' ? undefined : rule
}
