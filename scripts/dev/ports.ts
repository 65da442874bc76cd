// Which ports `npm start` takes: the usual ones, the next free one where a usual one is in use, and exactly those that
// were asked for.
import { createServer } from 'node:net'

/** Option of `npm start`, its usual port, and what listens there. */
export const PORTS = {
  port: [8443, 'the gateway (TLS)'],
  'plain-port': [8080, 'the gateway (plain HTTP, only to refuse it)'],
  'admin-port': [9464, 'the gateway (metrics and health)'],
  'blob-port': [10_000, 'Azurite (blob)'],
  'queue-port': [10_001, 'Azurite (queue)'],
  'table-port': [10_002, 'Azurite (table)'],
  'api-port': [8444, 'the demo API'],
} as const

export type PortName = keyof typeof PORTS
export type Ports = Readonly<Record<PortName, number>>

const TRIES = 100

/** Given the ports that were asked for by option (0: any free one), returns all, and tells of each that is not the usual one because that is in use. Throws on an asked one that cannot be had. */
export async function choosePorts(asked: Readonly<Partial<Record<PortName, number>>>, tell: (line: string) => void): Promise<Ports> {
  const taken = new Map<PortName, number>()
  for (const name of Object.keys(PORTS) as PortName[]) {
    const wish = asked[name]
    // oxlint-disable-next-line no-await-in-loop -- each choice excludes the ones before it
    taken.set(name, wish === undefined ? await usualOrNext(name, [...taken.values(), ...Object.values(asked)], tell) : await exactly(name, wish))
  }
  return Object.fromEntries(taken) as Ports
}

async function exactly(name: PortName, port: number): Promise<number> {
  const got = await listen(port)
  if (typeof got === 'number') return got
  throw new Error(`--${name} ${port}, for ${PORTS[name][1]}, cannot be had: ${got}. Choose another one, or leave the option out.`)
}

async function usualOrNext(name: PortName, taken: readonly number[], tell: (line: string) => void): Promise<number> {
  const [usual, purpose] = PORTS[name]
  // Another one's usual port is left to it, so that one port in use moves one service.
  const others: readonly number[] = Object.values(PORTS).map(([port]) => port).filter((port) => port !== usual)
  for (let port = usual; port < usual + TRIES; port += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other until one is free
    if (taken.includes(port) || others.includes(port) || typeof await listen(port) === 'string') continue
    if (port !== usual) tell(`port ${usual} is in use, so ${purpose} is on ${port}; choose with --${name}`)
    return port
  }
  throw new Error(`no free port from ${usual} on for ${purpose}: choose one with --${name}`)
}

/** Listens for a moment. Returns the port, or why it cannot be had. */
function listen(port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE' ? 'it is in use' : error.message))
    server.listen({ host: '127.0.0.1', port }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port))
    })
  })
}
