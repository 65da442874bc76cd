// A frame that does not pass, with its reason and what the log says about it.
import { Refusal, type Reason } from '../refusal.ts'
import type { Verdict } from './frames.ts'

/** Returns the verdict that a frame does not pass; `answer` is what the client is told, where it is told anything. */
export function refused(reason: Reason, why: string, answer?: Buffer): Verdict {
  const refusal = new Refusal(reason, { why })
  return answer === undefined ? { refusal } : { refusal, answer }
}
