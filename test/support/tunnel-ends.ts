// Two network namespaces with a wire between them, and a strongSwan daemon in each. The kernel needs no ESP: libipsec does it
// over a TUN device. Needs root; everything is removed when the test ends.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { output, run, SEARCHED, without, type Ran } from './programs.ts'

const PLUGINS = 'random nonce openssl pem pkcs1 pkcs8 x509 revocation constraints pubkey socket-default vici updown kernel-libipsec kernel-netlink'

/** Returns tap's `skip`: why no tunnel can be made here, false where it can. */
export function withoutTunnels(): string | false {
  const missing = without('charon-systemd', 'swanctl', 'ip', 'python3')
  if (missing !== false) return missing
  if (process.getuid?.() !== 0) return 'tunnels need root'
  if (!existsSync('/dev/net/tun')) return 'this machine has no TUN device'
  const name = `tg${process.pid}probe`
  if (run('ip', ['netns', 'add', name]).code !== 0) return 'this machine lets nobody make network namespaces'
  output('ip', ['netns', 'del', name])
  return false
}

interface EndOptions {
  /** A short word: part of the namespace's name. */
  readonly name: string
  readonly folder: string
  /** On the wire, and behind the tunnel; both without a prefix length. */
  readonly outer: string
  readonly inner: string
}

/** One end of the tunnel: a namespace with its daemon. */
export class TunnelEnd {
  readonly space: string
  readonly #options: EndOptions
  readonly #children: ChildProcess[] = []

  constructor(options: EndOptions) {
    this.#options = options
    this.space = `tg${process.pid}${options.name}`
    output('ip', ['netns', 'add', this.space])
  }

  /** Connects the two namespaces by one wire, on which each reaches the other's outer address. */
  wire(other: TunnelEnd): void {
    output('ip', ['link', 'add', 'wire', 'netns', this.space, 'type', 'veth', 'peer', 'name', 'wire', 'netns', other.space])
    this.#address(other.#options.outer)
    other.#address(this.#options.outer)
  }

  #address(far: string): void {
    const ip = (...args: readonly string[]): string => output('ip', ['-n', this.space, ...args])
    ip('link', 'set', 'lo', 'up')
    ip('address', 'add', `${this.#options.inner}/32`, 'dev', 'lo')
    ip('address', 'add', `${this.#options.outer}/32`, 'dev', 'wire')
    ip('link', 'set', 'wire', 'up')
    ip('route', 'add', far, 'dev', 'wire')
  }

  /** Starts the daemon; resolves when it answers. */
  async start(): Promise<void> {
    const { folder } = this.#options
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'strongswan.conf'), `charon-systemd {\n  load = ${PLUGINS}\n  plugins { vici { socket = ${this.#socket} } }\n  filelog { log { path = ${join(folder, 'charon.log')}\n flush_line = yes\n default = 1 } }\n}\n`)
    this.spawn('charon-systemd', [])
    await until('the daemon answers', () => this.#swanctl('--stats').code === 0)
  }

  get #socket(): string {
    return `unix://${join(this.#options.folder, 'vici')}`
  }

  #swanctl(...args: readonly string[]): Ran {
    return run('swanctl', [...args, '--uri', this.#socket], { env: { SWANCTL_DIR: this.#options.folder, STRONGSWAN_CONF: join(this.#options.folder, 'strongswan.conf') } })
  }

  /** Loads connections and secrets from a file. */
  load(file: string): Ran {
    return this.#swanctl('--load-all', '--clear', '--file', file)
  }

  /** Returns the security associations, as swanctl prints them. */
  associations(): string {
    return this.#swanctl('--list-sas').stdout
  }

  log(): string {
    return readFileSync(join(this.#options.folder, 'charon.log'), 'utf8')
  }

  /** Runs a program in the namespace to its end. */
  run(program: string, args: readonly string[]): Ran {
    return run('ip', ['netns', 'exec', this.space, program, ...args])
  }

  /** Starts a program in the namespace that runs until `stop`. */
  spawn(program: string, args: readonly string[]): void {
    const env = { ...process.env, PATH: SEARCHED, STRONGSWAN_CONF: join(this.#options.folder, 'strongswan.conf') }
    this.#children.push(spawn('ip', ['netns', 'exec', this.space, program, ...args], { stdio: 'ignore', env }))
  }

  /** Ends what was started, and removes the namespace. */
  async stop(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    output('ip', ['netns', 'del', this.space])
  }
}

/** Resolves when the condition holds; the test's own timeout is its end. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries += 1) {
    if (tries > 600) throw new Error(`waited in vain: ${what}`)
    await pause(100)
  }
}
