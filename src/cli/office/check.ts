// tidegate office check: judges certificates, and the authority itself.
import type { X509Certificate } from 'node:crypto'
import { OfficeFault } from '../../issuer/fault.ts'
import { readAuthority, type Authority } from '../../issuer/folder.ts'
import { judge, judgeAuthority, readCertificates, type Verdict } from '../../issuer/judge.ts'
import { readInput } from './files.ts'
import { COMMON, print, runOffice, Usage } from './run.ts'

const HELP = `usage: tidegate office check [FILE...] [--authority DIR]

Judges client certificates: issuer, dates, revocation, strength of key and signature, and the office's URI. The only extended
key usage must be clientAuth. With --authority alone, judges its roots and revocation lists.

  FILE               a certificate, PEM; certificates between it and the root may follow in the same file
  --authority DIR    the authority's folder; without it, issuer and revocation are not judged
  --json             {"files": [{"file", "office", "serial", "until", "findings"}], "authority": [...]}
  --help             this text

Exit code: 0; 1 for findings; 2 for wrong usage and unreadable files.
`

/** Runs `tidegate office check` with the arguments after these words. Returns the exit code. */
export function officeCheckCommand(args: string[]): Promise<number> {
  return runOffice({ name: 'office check', help: HELP, options: COMMON }, args, async (values, files) => {
    if (files.length === 0 && values.authority === undefined) throw new Usage('check needs a file or --authority DIR')
    const now = Date.now()
    const authority = values.authority === undefined ? undefined : await readAuthority(values.authority)
    const chains = files.map((file) => ({ file, chain: chainIn(file) }))
    const verdicts = await Promise.all(chains.map(async ({ file, chain }) => ({ file, ...await judged(chain, authority, now) })))
    const own = authority === undefined || files.length > 0 ? [] : await judgeAuthority(authority, now)
    const lines = [...verdicts.flatMap(linesFor), ...own.map((finding) => `authority: ${finding}`)]
    if (lines.length === 0) lines.push('authority: ok')
    print(values.json, { files: verdicts, authority: own }, lines)
    return own.length > 0 || verdicts.some(({ findings }) => findings.length > 0) ? 1 : 0
  })
}

function chainIn(file: string): X509Certificate[] {
  const chain = readCertificates(readInput(file, file).toString('latin1'))
  if (chain === undefined) throw new OfficeFault(`${file} holds no certificate that can be read`)
  return chain
}

async function judged(chain: X509Certificate[], authority: Authority | undefined, now: number): Promise<Verdict> {
  const verdict = await judge(chain, authority, now)
  if (verdict === undefined) throw new OfficeFault('a certificate is missing')
  return verdict
}

function linesFor({ file, office, until, findings }: Verdict & { readonly file: string }): string[] {
  if (findings.length === 0) return [`${file}: ok, ${office ?? ''}, valid until ${until}`]
  return findings.map((finding) => `${file}: ${finding}`)
}
