// tidegate inspect: says what SAS URLs are, and what the gateway would do with them. No signature ever comes out of it.
import { ConfigFaults, type Loaded, loadConfig } from '../config/load.ts'
import { createTrafficMetrics } from '../observe/metrics.ts'
import { Recorder } from '../observe/recorder.ts'
import { buildRouting } from '../process/routes.ts'
import { type InspectGround, type InspectPlace, inspectUrl } from '../sas/inspect/inspect.ts'
import { isRefused, linesFor } from '../sas/inspect/text.ts'
import { readMoment } from '../sas/mint/terms.ts'
import { hostName, isApis, type StorageRoute } from '../upstream/routes.ts'
import { readArguments } from './arguments.ts'
import { helpHint, jsonFindings, say, sayError, sayFindings } from './voice.ts'

const HELP = `usage: tidegate inspect [--config FILE] [--at TIME] [--json] URL
       tidegate inspect [--config FILE] [--at TIME] [--json] -

Says what a SAS URL is, what the gateway would do with it and why, and what the token would still allow elsewhere.

  URL             one URL; others can see it in the process list, and it stays in the shell's history: better is
  -               standard input, a URL a line
  -c, --config FILE
                  the configuration: with its keys and names the gateway's verdict is told. Its own names, the
                  upstreams' and Azure's public ones count as the account's. Without it only what the text shows
  --at TIME       judge at this moment instead of now: a UTC time (2026-11-25T06:00:00Z), or a duration from now (24h)
  --json          one JSON object a line for each URL
  -h, --help      this text

Signatures are never printed.
Exit code: 0; 3 when any is refused (without a configuration: when the text alone forces it); 2 for wrong usage.
`

const OPTIONS = { config: { type: 'string', short: 'c' }, at: { type: 'string' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } } as const
const REFUSED = 3
const USAGE = 2
/** Of the review: a configuration has storage.sas.maxLifetime. */
const WEEK_MS = 7 * 86_400_000
const INPUT_LIMIT = 16 * 1024 * 1024
const SIGNATURE = /sig(=|%3d)[^\s'":;]*/gi

interface Options {
  readonly config?: string
  readonly at?: string
  readonly json: boolean
  readonly help: boolean
  readonly urls: readonly string[]
}

/** Given the arguments after `inspect`, returns the exit code: 0, 3 when any URL is refused, 2 for wrong usage. */
export async function inspectCommand(args: string[]): Promise<number> {
  const options = readOptions(args)
  if (options === undefined) return USAGE
  if (options.help) {
    process.stdout.write(HELP)
    return 0
  }
  const [url] = options.urls
  if (url === undefined || options.urls.length > 1) return wrong(url === undefined ? 'inspect needs a URL, or - for standard input' : 'inspect takes one URL; - takes many, a line each')
  const now = options.at === undefined ? Date.now() : readMoment(options.at, Date.now())
  if (now === undefined) return wrong('--at is neither a UTC time such as 2026-11-25T06:00:00Z nor a duration from now such as 24h')
  if (options.config === '-') return wrong('inspect reads its configuration from a file: --config FILE')
  if (url !== '-') process.stderr.write(say('warning: a URL among the arguments shows its signature in the process list and the shell\'s history', 'hint: printf \'%s\\n\' "$URL" | tidegate inspect -'))
  const ground = await groundFor(options, now)
  const lines = ground === undefined ? undefined : await readLines(url)
  return ground === undefined || lines === undefined ? USAGE : inspectAll(lines, ground, options.json)
}

function readOptions(args: string[]): Options | undefined {
  const read = readArguments('inspect', { args, options: OPTIONS, allowPositionals: true }, (text) => void process.stderr.write(withoutSignatures(text)))
  return read === undefined ? undefined : { ...read.values, urls: read.positionals }
}

/** Faults repeat words of the arguments, and a URL can stand where an option or a file belongs. */
function withoutSignatures(text: string): string {
  return text.replace(SIGNATURE, 'sig$1REDACTED')
}

function wrong(what: string): number {
  process.stderr.write(sayError(what, helpHint('inspect')))
  return USAGE
}

/** Undefined after faults in the configuration, which are told. */
async function groundFor({ config, json }: Options, now: number): Promise<InspectGround | undefined> {
  if (config === undefined) return { now, maxLifetime: WEEK_MS, find: undefined }
  try {
    const loaded = await loadConfig(config, { environment: process.env, now: Date.now() })
    return { now, maxLifetime: loaded.config.storage?.sas.maxLifetime ?? WEEK_MS, find: finderFor(loaded) }
  } catch (error) {
    if (!(error instanceof ConfigFaults)) throw error
    if (json) process.stdout.write(withoutSignatures(jsonFindings(error)))
    else process.stderr.write(withoutSignatures(sayFindings(error, config)))
    return undefined
  }
}

/** By the routes that `serve` would have: their policies are what admission gets. */
function finderFor(loaded: Loaded): NonNullable<InspectGround['find']> {
  const silent = { info: () => {}, warn: () => {}, error: () => {}, line: () => {} }
  const { sites, pools } = buildRouting(loaded, { recorder: new Recorder(createTrafficMetrics(), silent, () => 0), monotonic: () => 0, sockets: { value: 0 } })
  for (const pool of pools) pool.close()
  const routes = [...sites.values()].filter((site): site is StorageRoute => !isApis(site))
  return (host, port, path) => {
    const own = sites.get(hostName(host) ?? '')
    const upstream = routes.filter(({ origin }) => origin.host === (port === undefined ? host : `${host}:${port}`) && isUnder(path, origin.pathPrefix))
      .toSorted((a, b) => b.origin.pathPrefix.length - a.origin.pathPrefix.length)[0]
    if (own !== undefined) return isApis(own) ? 'api' : placeFor(own, '')
    if (upstream !== undefined) return placeFor(upstream, upstream.origin.pathPrefix)
    const azure = routes.find(({ account, service }) => [account, `${account}-secondary`].some((name) => host === `${name}.${service}.core.windows.net`))
    return azure === undefined ? undefined : placeFor(azure, '')
  }
}

function isUnder(path: string, prefix: string): boolean {
  return prefix === '' || path === prefix || path.startsWith(`${prefix}/`)
}

function placeFor({ sas, service }: StorageRoute, pathPrefix: string): InspectPlace {
  return { policy: sas, service, pathPrefix }
}

/** The argument itself, or the lines of standard input that hold something. Undefined after a fault, which is told. */
async function readLines(url: string): Promise<readonly string[] | undefined> {
  if (url !== '-') return [url]
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const chunk of process.stdin) {
    text += String(chunk)
    if (text.length <= INPUT_LIMIT) continue
    wrong(`standard input holds more than ${INPUT_LIMIT} characters`)
    return undefined
  }
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '')
  if (lines.length > 0) return lines
  wrong('standard input holds no URL')
  return undefined
}

/** Each text by itself. What is no URL is told by its line, never by its text. */
function inspectAll(texts: readonly string[], ground: InspectGround, json: boolean): number {
  let code = 0
  for (const [index, text] of texts.entries()) {
    const report = inspectUrl(text, ground)
    if (report === undefined) {
      process.stderr.write(sayError(`${texts.length === 1 ? 'it' : `URL ${index + 1}`} is no http or https URL with a host and without a user name`))
      code = USAGE
      continue
    }
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${linesFor(report, ground.now).join('\n')}\n${index < texts.length - 1 ? '\n' : ''}`)
    if (isRefused(report) && code === 0) code = REFUSED
  }
  return code
}
