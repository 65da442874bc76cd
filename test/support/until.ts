// Waiting in tests: for something to become true, never for a time.

const PATIENCE_MS = 30_000
const LOOK_EVERY_MS = 5

/** Resolves as soon as `holds` does. Throws with `what` when it takes longer than anything ever should. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`)
    await pause(LOOK_EVERY_MS)
  }
}

/** For what must not happen: gives it the time in which it would. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** The promise's value, or an error that says what was waited for. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
