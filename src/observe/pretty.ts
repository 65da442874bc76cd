// Lines for people: where standard output is a terminal and pino-pretty is there, which is a development dependency. Anywhere
// else lines are JSON.
import { isatty } from 'node:tty'
import type { DestinationStream } from 'pino'

/** Given a file descriptor, returns a stream that writes lines there as people read them; undefined where they shall be JSON. */
export async function prettyFor(fd: number): Promise<DestinationStream | undefined> {
  if (!isatty(fd)) return undefined
  try {
    const { default: pretty } = await import('pino-pretty')
    return pretty({ destination: fd, sync: true, colorize: (process.env['NO_COLOR'] ?? '') === '', ignore: 'pid', translateTime: 'SYS:HH:MM:ss.l' })
  } catch {
    return undefined
  }
}
