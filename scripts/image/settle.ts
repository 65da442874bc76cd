// Docker's format of an image, which alone knows HEALTHCHECK, says in which container it was built: another one each time.
// This takes that out, so that equal files and settings are one image with one id.
import { createHash } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { output } from './run.ts'

interface ImageConfig {
  container?: string
  container_config?: object
  readonly config: { Hostname?: string }
}

interface Manifest {
  readonly config: { size: number; digest: string }
}

/** Stores an image of this machine's store again, under the same name; `folder` is empty. Returns its id. */
export function settle(tag: string, folder: string): string {
  output('skopeo', ['copy', '--quiet', `containers-storage:${tag}`, `dir:${folder}`])
  const manifestFile = join(folder, 'manifest.json')
  const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as Manifest
  const before = join(folder, hexOf(manifest.config.digest))
  const image = JSON.parse(readFileSync(before, 'utf8')) as ImageConfig
  delete image.container
  delete image.container_config
  delete image.config.Hostname
  const text = JSON.stringify(image)
  const id = createHash('sha256').update(text).digest('hex')
  renameSync(before, join(folder, id))
  writeFileSync(join(folder, id), text)
  manifest.config.size = Buffer.byteLength(text)
  manifest.config.digest = `sha256:${id}`
  writeFileSync(manifestFile, JSON.stringify(manifest))
  output('skopeo', ['copy', '--quiet', `dir:${folder}`, `containers-storage:${tag}`])
  return id
}

const hexOf = (digest: string): string => digest.slice(digest.indexOf(':') + 1)
