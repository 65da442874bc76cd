// One `npm start` at a time in a checkout: they would share .dev/ and its configuration.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'

/** Given the file that says who runs, returns what releases it; throws when a running `npm start` holds it. One left by a run that was killed is taken over. */
export function claim(file: string): () => void {
  const holder = readHolder(file)
  if (holder !== undefined && isOurs(holder)) {
    throw new Error(`npm start is already running in this checkout (process ${holder}). Stop it with Ctrl-C where it runs, or \`kill ${holder}\`; to have two, use a second checkout.`)
  }
  rmSync(file, { force: true })
  writeFileSync(file, `${process.pid}\n`, { flag: 'wx' })
  return () => rmSync(file, { force: true })
}

function readHolder(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined
  } catch {
    return undefined
  }
}

// A process number is given out again, after a restart of the machine at the latest; where there is /proc it tells.
function isOurs(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('start.ts')
  } catch {
    return true
  }
}
