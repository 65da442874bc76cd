// The one wrapper of every event handler of a socket: what a handler throws ends that one connection. Unwrapped it would
// reach the process, and one peer's bytes would end a worker with all that it carries (security.md F1).

type Handler<T, A extends unknown[]> = (this: T, ...args: A) => unknown

/** For tests: called with the name of each handler that runs; what it throws counts as thrown by that handler. */
let probe: ((name: string) => void) | undefined

/** Sets the probe, or takes it away. */
export function probeHandlers(next: ((name: string) => void) | undefined): void {
  probe = next
}

/**
 * Returns the handler wrapped: what it throws is given to `broken`, which must not throw. `name` says where the handler
 * stands, as in `door readable`.
 */
export function contain<T, A extends unknown[]>(name: string, handler: Handler<T, A>, broken: (error: unknown) => void): (this: T, ...args: A) => void {
  return function contained(this: T, ...args: A): void {
    try {
      probe?.(name)
      handler.apply(this, args)
    } catch (error) {
      broken(error)
    }
  }
}
