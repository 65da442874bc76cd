// User delegation keys that clients fetch through the gateway are remembered in memory until they expire, so that apps that
// sign with them work unchanged (contract section 3, learnDelegationKeys). The reply goes to the client untouched.
import { KEY_REPLY_LIMIT, keyInReply } from '../../sas/delegation-key.ts'
import type { ResponseHead } from '../../upstream/response-head.ts'
import type { StorageRoute } from '../../upstream/routes.ts'
import type { StoragePermit } from '../admit.ts'
import { fieldValue } from '../headers.ts'
import type { ReplyStage } from '../reply-stages.ts'

/** Returns whether this request asks for a user delegation key: `POST /?restype=service&comp=userdelegationkey`. */
export function asksForKey(method: string, { route, target }: StoragePermit): boolean {
  if (method !== 'POST' || route.learned === undefined || target.path !== '/' || target.query === undefined) return false
  const parts = target.query.toLowerCase().split('&')
  return parts.includes('comp=userdelegationkey') && parts.includes('restype=service')
}

/** The stage that listens to a reply for a user delegation key. `now` returns milliseconds since the epoch. */
export function learnKeys(route: StorageRoute, now: () => number): ReplyStage {
  return (next) => {
    const listener = new KeyListener(route, now)
    return {
      head: (head) => {
        listener.head(head)
        next.head(head)
      },
      data: (chunk) => {
        listener.data(chunk)
        return next.data(chunk)
      },
      end: () => {
        listener.end()
        next.end()
      },
    }
  }
}

/** Listens to one reply as it passes. */
export class KeyListener {
  readonly #route: StorageRoute
  readonly #now: () => number
  #body = ''
  #listening = true

  /** `now` gives milliseconds since the epoch. */
  constructor(route: StorageRoute, now: () => number) {
    this.#route = route
    this.#now = now
  }

  head(head: ResponseHead): void {
    this.#listening = head.status === 200 && fieldValue(head.headers, 'content-encoding') === undefined
  }

  data(chunk: Buffer): void {
    if (!this.#listening) return
    this.#body += chunk.toString('latin1')
    if (this.#body.length > KEY_REPLY_LIMIT) this.#listening = false
  }

  /** The reply is whole: takes the key in it, if there is one. */
  end(): void {
    const key = this.#listening ? keyInReply(this.#body) : undefined
    this.#body = ''
    if (key !== undefined && this.#route.sas.keys.delegation.learn(key, this.#now())) this.#route.learned?.(key)
  }
}
