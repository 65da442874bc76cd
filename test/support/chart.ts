// The chart's objects: rendered by helm, and read by the types and models that stand in for an API server.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Certificate } from '@kubernetes-models/cert-manager/cert-manager.io/v1'
import { PodMonitor, PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'
import { Deployment } from 'kubernetes-models/apps/v1'
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { ConfigMap, Pod, Service, ServiceAccount } from 'kubernetes-models/v1'
import { parseAllDocuments } from 'yaml'
import { CHART, runHelm } from '../../scripts/helm.ts'
import { run } from './programs.ts'

const ROOT = join(import.meta.dirname, '../..')

/** An object as it stands in a manifest. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>>; readonly annotations?: Readonly<Record<string, string>> }
  readonly [key: string]: unknown
}

export type Values = Readonly<Record<string, unknown>>

/** Given values over the chart's own, returns its objects, the test pod among them; throws with what helm says. */
export function objects(values: Values = {}, chart: string = CHART): Manifest[] {
  const { code, stdout, stderr } = runHelm(['template', 'tidegate', chart, '--namespace', 'tidegate', '--values', '-'], JSON.stringify(values))
  if (code !== 0) throw new Error(stderr)
  return read(stdout)
}

/** Parses YAML of one or several objects. YAML 1.1, as Kubernetes reads it: numbers with a leading zero are octal. */
export function read(text: string): Manifest[] {
  return parseAllDocuments(text, { version: '1.1' }).map((document) => document.toJS() as Manifest | null).filter((object) => object !== null)
}

interface Model { validate(): void }

/** By group, version and kind: where the type is, and the model that checks values. Azure's group has the operator's shape. */
const MODELS: Readonly<Record<string, readonly [module: string, model: ((object: never) => Model) | undefined]>> = {
  'v1/ConfigMap': ['kubernetes-models/v1', (object) => new ConfigMap(object)],
  'v1/Pod': ['kubernetes-models/v1', (object) => new Pod(object)],
  'v1/Service': ['kubernetes-models/v1', (object) => new Service(object)],
  'v1/ServiceAccount': ['kubernetes-models/v1', (object) => new ServiceAccount(object)],
  'apps/v1/Deployment': ['kubernetes-models/apps/v1', (object) => new Deployment(object)],
  'autoscaling/v2/HorizontalPodAutoscaler': ['kubernetes-models/autoscaling/v2', (object) => new HorizontalPodAutoscaler(object)],
  'networking.k8s.io/v1/NetworkPolicy': ['kubernetes-models/networking.k8s.io/v1', (object) => new NetworkPolicy(object)],
  'policy/v1/PodDisruptionBudget': ['kubernetes-models/policy/v1', (object) => new PodDisruptionBudget(object)],
  'cert-manager.io/v1/Certificate': ['@kubernetes-models/cert-manager/cert-manager.io/v1', (object) => new Certificate(object)],
  'monitoring.coreos.com/v1/PodMonitor': ['@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1', (object) => new PodMonitor(object)],
  'monitoring.coreos.com/v1/PrometheusRule': ['@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1', (object) => new PrometheusRule(object)],
  // No package has a model of it: the driver's documentation, and the azure provider's parameters that the chart uses.
  'secrets-store.csi.x-k8s.io/v1/SecretProviderClass': ['./own.ts', undefined],
}

const OWN = `type Labels = Readonly<Record<string, string>>
export interface ISecretProviderClass {
  apiVersion: 'secrets-store.csi.x-k8s.io/v1', kind: 'SecretProviderClass', metadata: { name: string, labels?: Labels }
  spec: { provider: 'azure', parameters: { keyvaultName: string, tenantId: string, clientID?: string, objects: string, cloudName?: string, usePodIdentity?: 'true' | 'false', useVMManagedIdentity?: 'true' | 'false' } }
}
`

const kindOf = ({ apiVersion, kind }: Manifest): string => `${apiVersion.replace('azmonitoring.coreos.com', 'monitoring.coreos.com')}/${kind}`

/** Throws where a value is of the wrong type. Unknown fields pass: those are the compiler's. */
export function validate(object: Manifest): void {
  const known = MODELS[kindOf(object)]
  if (known === undefined) throw new Error(`no model of ${kindOf(object)}`)
  known[1]?.({ ...object, apiVersion: object.apiVersion.replace('azmonitoring', 'monitoring') } as never).validate()
}

/** Given objects, returns what the compiler says of them as literals of their types: unknown fields, wrong types; empty where nothing. */
export function compile(manifests: readonly Manifest[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-types-'))
  try {
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    mkdirSync(join(folder, 'src'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'src/own.ts'), OWN)
    writeFileSync(join(folder, 'src/objects.ts'), manifests.map(literal).join('\n'))
    const { code, stdout, stderr } = run(join(ROOT, 'node_modules/.bin/tsc'), ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--moduleResolution', 'nodenext', '--allowImportingTsExtensions', '--preserveSymlinks', '--types', '', 'src/objects.ts'], { cwd: folder })
    return code === 0 ? '' : `tsc ended with ${code}: ${stdout}${stderr}`
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function literal(object: Manifest, index: number): string {
  const [module] = MODELS[kindOf(object)] ?? ['unknown']
  const { apiVersion, ...rest } = object
  return `import type { I${object.kind} as I${index} } from '${module}'\nexport const o${index}: I${index} = ${JSON.stringify({ apiVersion: apiVersion.replace('azmonitoring', 'monitoring'), ...rest })}`
}
