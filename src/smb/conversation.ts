// What one connection through a guard has come to: the states of docs/spec/smb-guard.md section 4, and the facts for the
// log. It has no clock and no socket; client.ts and server.ts judge the frames of each side.
import { ClientJudge } from './client.ts'
import { bestLabel, cipherName, dialectName, type DialectLabel, type Rules } from './dialects.ts'
import type { Judge } from './frames.ts'
import type { NegotiateRequest } from './messages.ts'
import { ServerJudge } from './server.ts'
import { Sessions } from './sessions.ts'

/**
 * `negotiate`: the client has to negotiate. `upgrade`: SMB 1 asked for SMB 2, and the server has to answer. `wait`: the
 * server has to answer a NEGOTIATE. `session`: encryption is agreed, nobody is logged in. `ready`: a login has succeeded.
 * `closing`: the server has refused to negotiate, and nothing more may pass.
 */
export type Phase = 'negotiate' | 'upgrade' | 'wait' | 'session' | 'ready' | 'closing'

export class Conversation {
  readonly rules: Rules
  readonly sessions = new Sessions()
  readonly client: Judge
  readonly server: Judge
  phase: Phase = 'negotiate'
  /** The client began with SMB 1. */
  smb1 = false
  /** One SMB 1 message has passed, and no other may. */
  upgraded = false
  offer: NegotiateRequest | undefined
  /** As agreed; 0 before. */
  dialect = 0
  cipher = 0
  /** Logins that succeeded. */
  logins = 0
  /** Requests for a share that went in clear and are not answered yet. */
  clearTrees = 0

  constructor(rules: Rules) {
    this.rules = rules
    this.client = new ClientJudge(this)
    this.server = new ServerJudge(this)
  }

  /** The dialects that the client has offered, by name. */
  get offered(): string[] {
    return [...(this.smb1 ? ['smb1'] : []), ...(this.offer?.dialects ?? []).map(dialectName)]
  }

  /** The dialect for metrics: the agreed one, else the best one offered. */
  get label(): DialectLabel {
    return bestLabel(this.dialect === 0 ? this.offered : [dialectName(this.dialect)])
  }

  get dialectName(): string | undefined {
    return this.dialect === 0 ? undefined : dialectName(this.dialect)
  }

  get cipherName(): string | undefined {
    return this.cipher === 0 ? undefined : cipherName(this.cipher)
  }
}
