// What is in the image, as a CycloneDX list: npm's part by `npm sbom`, Debian's part by the packages of the base.
import type { DebianPackage } from './base.ts'
import { output } from './run.ts'

interface Bom {
  serialNumber?: string
  readonly metadata: { timestamp?: string; component: { name: string } }
  readonly components: object[]
  readonly dependencies: { readonly ref: string; readonly dependsOn: string[] }[]
}

/** Given the checkout and Debian's packages, returns JSON; the same each time, so without the number and the time that npm puts in. */
export function makeSbom(checkout: string, packages: readonly DebianPackage[]): string {
  const bom = JSON.parse(output('npm', ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--omit=dev', '--package-lock-only'], { cwd: checkout })) as Bom
  delete bom.serialNumber
  delete bom.metadata.timestamp
  bom.metadata.component.name = 'tidegate'
  bom.components.push(...packages.map(component))
  return `${JSON.stringify(bom, null, 2)}\n`
}

function component({ name, version, arch }: DebianPackage): object {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${arch}&distro=debian-13`
  return { 'bom-ref': purl, 'type': 'library', name, version, 'scope': 'required', purl }
}
