// The chart: what helm, the models of Kubernetes' objects, the compiler and our own configuration reader say of it. There is no
// cluster here: that the API server admits the objects, and what the controllers make of them, is not shown.
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { CHART, render, RENDERED, runHelm, toolOf } from '../../scripts/helm.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { compile, objects, read, validate, type Manifest, type Values } from '../support/chart.ts'
import { MAIN, serveGate } from '../support/gate.ts'
import { output, run } from '../support/programs.ts'
import { createRealm } from '../support/realm.ts'

t.setTimeout(300_000)

const skip = process.platform === 'linux' && process.arch === 'x64' ? false : 'helm of the npm package is for amd64 Linux'
const VAULT = { keyVault: { name: 'tide-vault', tenantId: '11111111-2222-3333-4444-555555555555' }, workloadIdentity: { enabled: true, clientId: '66666666-7777-8888-9999-000000000000' } }
const MONITORING = { monitoring: { podMonitor: { enabled: true, labels: { team: 'tide' } }, rules: { enabled: true }, dashboard: { enabled: true } } }
const API = { tls: { certificates: [{ cert: '/run/tidegate/certs/tls.crt', key: '/run/tidegate/certs/tls.key' }], clients: { verify: 'required', ca: '/run/tidegate/trust/offices-ca.pem', crl: '/run/tidegate/trust/offices.crl.pem' }, ticketKeys: null }, storage: null, apis: [{ name: 'payroll', host: 'payroll.tide.example', upstream: 'https://payroll.internal:8443', ca: '/run/tidegate/trust/internal-ca.pem' }] }

/** What people choose, each with all that it draws in. */
const SETS: Readonly<Record<string, Values>> = {
  'default values': {},
  'cert-manager, monitors of the operator': { certificates: { source: 'certManager' }, ...MONITORING },
  'Key Vault for both': { certificates: { source: 'keyVault' }, keys: { source: 'keyVault' }, ...VAULT },
  'Azure\'s managed Prometheus': { monitoring: { podMonitor: { enabled: true, group: 'azmonitoring.coreos.com' } } },
  'Private Link': { privateLink: { enabled: true, proxyProtocolFrom: ['10.1.2.0/24'] } },
  'an API with client certificates and nothing else': { keys: { source: 'none' }, trust: { secretName: 'tide-trust' }, config: API },
  'fixed address, offices, no plain port, no autoscaling': {
    service: { address: '10.1.0.9', sourceRanges: ['203.0.113.0/24'], plainPort: 0, annotations: { 'service.beta.kubernetes.io/azure-load-balancer-internal-subnet': 'gateways' } },
    autoscaling: { enabled: false }, replicaCount: 3, networkPolicy: { clients: ['203.0.113.0/24'], monitoringNamespaces: [] },
    image: { repository: 'tide.azurecr.io/tidegate', digest: `sha256:${'0'.repeat(64)}`, pullSecrets: ['pull'] }, trust: { configMapName: 'tide-trust' },
    pod: { annotations: { a: 'b' }, labels: { c: 'd' }, tolerations: [{ key: 'k', operator: 'Exists' }], priorityClassName: 'high', env: [{ name: 'DOMAIN', value: 'storage.tide.example' }] },
  },
  'a name for the admin listener': { admin: { hosts: ['tidegate-admin.tide.svc'] } },
  'within the cluster only': { service: { type: 'ClusterIP' }, networkPolicy: { enabled: false } },
  'traces, an upstream in the cluster, and a metric of our own for the autoscaler': {
    config: { tracing: { endpoint: 'https://otel.tide.example:4318/v1/traces' } },
    networkPolicy: { upstreams: [{ cidr: '10.1.4.0/24', port: 443 }, { namespace: 'payroll', port: 8443 }], otlp: [{ namespace: 'monitoring', port: 4318 }] },
    autoscaling: { metrics: [{ type: 'Pods', pods: { metric: { name: 'tidegate_requests_in_flight' }, target: { type: 'AverageValue', averageValue: '200' } } }] },
  },
}

const one = (found: readonly Manifest[], kind: string): Manifest => {
  const object = found.find((it) => it.kind === kind && !it.metadata.name.endsWith('-test'))
  if (object === undefined) throw new Error(`no ${kind}`)
  return object
}

interface Container { readonly args?: string[]; readonly image: string; readonly securityContext: object; readonly env: { name: string; value: string }[]; readonly ports: { name: string; containerPort: number }[]; readonly volumeMounts: { mountPath: string; subPath?: string }[]; readonly resources: { limits: object } }
interface PodSpec { readonly containers: [Container, ...Container[]]; readonly terminationGracePeriodSeconds: number; readonly securityContext: object; readonly automountServiceAccountToken: boolean; readonly volumes: object[] }
interface Workload extends Manifest { readonly spec: { readonly replicas?: number; readonly strategy: object; readonly template: { readonly metadata: { readonly annotations: Readonly<Record<string, string>> }; readonly spec: PodSpec } } }

interface Data extends Manifest { readonly data: Readonly<Record<string, string>> }

const deploymentOf = (found: readonly Manifest[]): Workload => one(found, 'Deployment') as Workload
const podOf = (found: readonly Manifest[]): PodSpec => deploymentOf(found).spec.template.spec
const configOf = (found: readonly Manifest[]): string => (one(found, 'ConfigMap') as Data).data['tidegate.yaml'] ?? ''
const sum = (values: Values): string => deploymentOf(objects(values)).spec.template.metadata.annotations['checksum/config'] ?? ''

void t.test('helm lint finds nothing', { skip }, async (test) => {
  const { code, stdout } = runHelm(['lint', '--strict', CHART])
  test.equal(code, 0, stdout)
})

void t.test('deploy/rendered is the chart with its default values: npm run chart', { skip }, async (test) => {
  test.equal(readFileSync(RENDERED, 'utf8'), render())
})

for (const [name, values] of Object.entries(SETS)) {
  void t.test(`${name}: every object is one that Kubernetes knows, and the gateway reads its configuration`, { skip }, async (test) => {
    const found = objects(values)
    for (const object of found) test.doesNotThrow(() => validate(object), `${object.kind} ${object.metadata.name}`)
    const result = parseConfig(configOf(found), { file: 'tidegate.yaml', directory: '/etc/tidegate', environment: { DOMAIN: 'storage.tide.example' } })
    test.strictSame(result.faults ?? [], [])
    const mounts = podOf(found).containers[0].volumeMounts
    for (const { file } of result.files.filter(({ file: it }) => it.startsWith('/'))) test.ok(mounts.some(({ mountPath }) => file.startsWith(`${mountPath}/`)), `${file} is in a mount`)
    test.ok(mounts.every(({ subPath }) => subPath === undefined), 'no subPath: it would not rotate')
  })
}

void t.test('the values of docs/aks.md render to objects that Kubernetes knows and a configuration that is read', { skip }, async (test) => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/aks.md'), 'utf8')
  const [, block = ''] = /^```yaml\n([^]*?)^```/m.exec(page) ?? []
  const values = parse(block.replace('sha256:...', `sha256:${'0'.repeat(64)}`)) as Values
  const found = objects(values)
  for (const object of found) test.doesNotThrow(() => validate(object), `${object.kind} ${object.metadata.name}`)
  test.equal(found.filter(({ kind }) => kind === 'SecretProviderClass').length, 2)
  test.equal(parseConfig(configOf(found), { file: 'f', directory: '/', environment: {} }).faults, undefined)
})

void t.test('no object of any set has a field that its type lacks; the compiler would see one', { skip }, async (test) => {
  const all = Object.values(SETS).flatMap((values) => objects(values))
  test.equal(compile(all), '')
  const deployment = deploymentOf(all)
  const monitor = all.filter(({ kind }) => kind === 'PodMonitor').map((it) => ({ ...it, spec: { ...(it['spec'] as object), podMetricsEndpoints: [{ port: 'admin', intervall: '30s' }] } }))
  test.match(compile([{ ...deployment, spec: { ...deployment.spec, replicaz: 2 } }]), /"replicaz"' does not exist/)
  test.match(compile(monitor), /"intervall"' does not exist/)
  test.throws(() => validate({ ...deployment, spec: { ...deployment.spec, replicas: 'two' } }), /replicas/, 'and the model sees a wrong type')
})

const REFUSED: readonly (readonly [set: string, says: RegExp])[] = [
  ['replicaCount=1', /minimum: got 1, want 2/],
  ['nonsense=1', /additional properties 'nonsense' not allowed/],
  ['service.prot=443', /additional properties 'prot' not allowed/],
  ['config.listen.tls.port=443', /\/config\/listen/],
  ['config.drain.announce=0s', /\/config\/drain/],
  ['config.tls.certificates[0].cert=/etc/passwd,config.tls.certificates[0].key=/run/tidegate/certs/tls.key', /does not match pattern/],
  ['keys.source=vault', /one of 'secret', 'keyVault', 'none'/],
  ['certificates.source=keyVault', /\/workloadIdentity\/clientId|\/keyVault\/name/],
  ['workloadIdentity.enabled=true', /\/workloadIdentity\/clientId/],
  ['privateLink.enabled=true', /proxyProtocolFrom/],
  ['privateLink.enabled=true,privateLink.proxyProtocolFrom[0]=10.0.0.0/24,service.internal=false', /\/service\/internal/],
  ['drain.announceSeconds=5', /minimum: got 5, want 15/],
  ['image.digest=sha256:1', /does not match pattern/],
  ['monitoring.podMonitor.group=example.com', /azmonitoring\.coreos\.com/],
  ['networkPolicy.otlp[0].port=4318', /\/networkPolicy\/otlp\/0/],
  ['networkPolicy.upstreams[0].port=443,networkPolicy.upstreams[0].cidr=10.0.0.0/8,networkPolicy.upstreams[0].namespace=payroll', /\/networkPolicy\/upstreams\/0/],
  ['config.log.audit=/var/log/refusals.log', /\/config\/log\/audit/],
]

void t.test('values that could not work are refused before anything is rendered', { skip }, async (test) => {
  for (const [set, says] of REFUSED) {
    const { code, stderr } = runHelm(['template', 'tidegate', CHART, '--set', set])
    test.not(code, 0, set)
    test.match(stderr, says, set)
  }
})

void t.test('the pod is as small as the pod standard `restricted` asks, and smaller', { skip }, async (test) => {
  const found = objects()
  const pod = podOf(found)
  test.match(pod.securityContext, { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } })
  test.equal(pod.automountServiceAccountToken, false)
  const tests = found.filter(({ kind }) => kind === 'Pod').flatMap((it) => (it['spec'] as PodSpec).containers)
  for (const container of [...pod.containers, ...tests]) test.strictSame(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
  test.strictSame(Object.keys(pod.containers[0].resources.limits), ['memory'], 'no cpu limit')
  test.strictSame(pod.containers[0].env, [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=384' }])
  test.strictSame(deploymentOf(found).spec.strategy, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } })
  test.ok(tests.some(({ args }) => args?.[0] === 'inspect'), 'helm test runs inspect')
})

void t.test('configuration and manifest fit: ports, drain, PROXY, policy', { skip }, async (test) => {
  for (const values of [{}, { drain: { announceSeconds: 30, deadlineSeconds: 300 } }, { privateLink: { enabled: true, proxyProtocolFrom: ['10.1.2.0/24'] } }, { service: { plainPort: 0 } }]) {
    const found = objects(values)
    const result = parseConfig(configOf(found), { file: 'f', directory: '/', environment: {} })
    if (result.faults !== undefined) throw new Error(JSON.stringify(result.faults))
    const { listen, drain } = result.config
    const pod = podOf(found)
    test.ok(pod.terminationGracePeriodSeconds * 1000 >= drain.announce + drain.deadline + 5000, 'the grace period holds pause, deadline and what serve adds')
    test.strictSame(Object.fromEntries(pod.containers[0].ports.map(({ name, containerPort }) => [name, containerPort])), { tls: listen.tls.port, ...(listen.plain === undefined ? {} : { plain: listen.plain.port }), admin: listen.admin.port })
    const service = one(found, 'Service')
    test.equal(service.metadata.annotations?.['service.beta.kubernetes.io/azure-pls-proxy-protocol'] === 'true', listen.proxyProtocol !== undefined)
    test.match(service['spec'], { externalTrafficPolicy: 'Local' })
  }
})

void t.test('names of the admin listener go into the configuration', { skip }, async (test) => {
  const text = configOf(objects({ admin: { hosts: ['tidegate-admin.tide.svc', 'b.example'] } }))
  const result = parseConfig(text, { file: 'f', directory: '/', environment: {} })
  if (result.faults !== undefined) throw new Error(JSON.stringify(result.faults))
  test.strictSame(result.config.listen.admin.hosts, ['tidegate-admin.tide.svc', 'b.example'])
})

void t.test('what goes out is listed: DNS, upstreams, the receiver of traces; what comes in is clients, and the test that asks like one', { skip }, async (test) => {
  const found = objects({ networkPolicy: { clients: ['203.0.113.0/24'], upstreams: [{ cidr: '10.1.4.0/24', port: 443 }], otlp: [{ namespace: 'monitoring', port: 4318 }] } })
  const { egress, ingress } = one(found, 'NetworkPolicy')['spec'] as { egress: readonly { ports: readonly object[]; to: readonly object[] }[]; ingress: readonly { from: readonly object[] }[] }
  test.strictSame(egress.slice(1), [
    { ports: [{ port: 443, protocol: 'TCP' }], to: [{ ipBlock: { cidr: '10.1.4.0/24' } }] },
    { ports: [{ port: 4318, protocol: 'TCP' }], to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }] },
  ])
  const dns = (values: Values): object | undefined => (one(objects({ networkPolicy: values }), 'NetworkPolicy')['spec'] as { egress: readonly { to?: object }[] }).egress[0]?.to
  test.match(dns({}), [{ namespaceSelector: { matchExpressions: [{ values: ['kube-system'] }] } }])
  test.equal(dns({ dnsNamespaces: [] }), undefined, 'anywhere')
  const pods = found.filter(({ kind }) => kind === 'Pod')
  test.strictSame(ingress[0]?.from, [{ ipBlock: { cidr: '203.0.113.0/24' } }, { podSelector: { matchLabels: pods[0]?.metadata.labels } }])
  for (const pod of pods) test.equal((pod['spec'] as PodSpec).containers.length, 1, 'helm test --logs reads no pod with more')
})

void t.test('a change of the configuration rolls the pods; certificates, keys and trust do not', { skip }, async (test) => {
  test.not(sum({ config: { log: { level: 'warn' } } }), sum({}))
  test.equal(sum({ certificates: { source: 'certManager' }, trust: { secretName: 'tide-trust' } }), sum({}))
})

void t.test('the three sources of certificates mount at the same path', { skip }, async (test) => {
  const paths = ['secret', 'certManager', 'keyVault'].map((source) => podOf(objects({ certificates: { source }, ...VAULT })))
  for (const pod of paths) test.strictSame(pod.containers[0].volumeMounts, paths[0]?.containers[0].volumeMounts)
  test.match(paths[2]?.volumes, [{ name: 'config' }, { csi: { driver: 'secrets-store.csi.k8s.io' } }])
})

void t.test('rules and dashboard come through as they are, with what Prometheus and Grafana fill in', { skip }, async (test) => {
  const chart = join(test.testdir(), 'chart')
  cpSync(CHART, chart, { recursive: true })
  const rule = 'groups: [{ name: a, rules: [{ alert: A, expr: up == 0, annotations: { summary: "{{ $labels.pod }} is {{ $value | humanize }}" } }] }]\n'
  const files: Readonly<Record<string, string>> = { 'rules.yaml': rule, 'dashboard.json': '{"legendFormat":"{{ reason }}"}\n' }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(chart, 'files', name), text)
  const same = (of: string, text: (name: string) => string): void => {
    const found = objects(MONITORING, of)
    test.strictSame(one(found, 'PrometheusRule')['spec'], parse(text('rules.yaml')))
    const board = found.find(({ metadata }) => metadata.name === 'tidegate-dashboard') as Data | undefined
    test.strictSame(JSON.parse(board?.data['tidegate.json'] ?? ''), JSON.parse(text('dashboard.json')))
    test.equal(board?.metadata.labels?.['grafana_dashboard'], '1')
  }
  same(chart, (name) => files[name] ?? '')
  if (existsSync(join(CHART, 'files/rules.yaml'))) same(CHART, (name) => readFileSync(join(CHART, 'files', name), 'utf8'))
})

void t.test('kubectl decodes the rendered objects, and Kustomize overlays them', { skip }, async (test) => {
  const kubectl = toolOf('kubectl')
  // It decodes all and then complains of those that have no image.
  const { stdout, stderr } = run(kubectl, ['set', 'image', '--local', '--filename', RENDERED, '--output', 'yaml', 'tidegate=tide.example/tidegate:x'], { env: { KUBECONFIG: '/dev/null' } })
  test.match(stdout, 'image: tide.example/tidegate:x')
  const complaints = stderr.split('error: ').map((text) => text.replaceAll(/\s+/g, ' ').trim()).filter((text) => text !== '')
  test.equal(complaints.length, read(readFileSync(RENDERED, 'utf8')).length - 1)
  for (const complaint of complaints) test.match(complaint, /the object is not a pod or does not have a pod template: \*v\d\.\w+$/)
  const folder = test.testdir({ 'tidegate.yaml': readFileSync(RENDERED, 'utf8'), 'kustomization.yaml': JSON.stringify({
    resources: ['tidegate.yaml'], namespace: 'tide', images: [{ name: 'tidegate', newName: 'tide.example/tidegate', newTag: 'other' }],
    patches: [{ target: { kind: 'HorizontalPodAutoscaler' }, patch: JSON.stringify([{ op: 'replace', path: '/spec/maxReplicas', value: 20 }]) }],
  }) })
  const overlaid = read(output(kubectl, ['kustomize', folder]))
  test.match(podOf(overlaid).containers[0].image, 'tide.example/tidegate:other')
  test.match(one(overlaid, 'HorizontalPodAutoscaler')['spec'], { maxReplicas: 20 })
})

void t.test('what the test pod runs ends well where all is well', { skip }, async (test) => {
  const realm = await createRealm(test)
  const gate = await serveGate(test, realm, { storage: { blob: 9 } })
  const containers = objects().filter(({ kind }) => kind === 'Pod').flatMap((it) => (it['spec'] as { containers: { name: string; args: string[] }[] }).containers)
  const argsOf = (name: string): string[] => containers.find((it) => it.name === name)?.args ?? []
  test.strictSame(containers.map(({ name }) => name).toSorted(), ['answers', 'check', 'inspect'])
  test.equal(run(process.execPath, [MAIN, ...argsOf('inspect')]).code, 0)
  test.equal(run(process.execPath, [MAIN, ...argsOf('check').map((arg) => (arg.startsWith('/etc/') ? join(realm.folder, 'tidegate.yaml') : arg))]).code, 0)
  const [script = ''] = argsOf('answers')
  const here = script.replace('host: \'tidegate\', port: 443', `host: '127.0.0.1', port: ${gate.port}`)
  test.not(here, script)
  const { code, stdout, stderr } = run(process.execPath, ['-e', here])
  test.strictSame([code, stdout.trim()], [0, '421 host-unknown'], stderr)
  test.not(run(process.execPath, ['-e', here.replace('helm-test.invalid', 'tideoffice.blob.localhost')]).code, 0, 'and not where another answers')
})

void t.test('the notes say how to see that it enforces what it is for', { skip }, async (test) => {
  const { stdout } = runHelm(['install', 'tidegate', CHART, '--namespace', 'tide', '--dry-run=client', '--set', 'monitoring.dashboard.enabled=false'])
  test.match(stdout, /helm -n tide test tidegate/)
  test.match(stdout, 'openssl s_client -connect $ADDRESS:443 -servername tideoffice.blob.storage.tide.example -tls1_1')
  test.match(stdout, '400 AccountRequiresHttps')
})
