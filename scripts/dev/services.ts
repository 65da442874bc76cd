// The three services of `npm start`, and how each is started. Paths are relative to the checkout.
import type { Service } from './children.ts'
import { ACCOUNT, SERVICES } from './configuration.ts'
import type { Ports } from './ports.ts'

/** Returns the services to start. `data` is the folder for the account's data; without it they stay in memory. */
export function azurite(ports: Ports, key: string, data: string | undefined): Service {
  const place = data === undefined ? ['--inMemoryPersistence'] : ['--location', data]
  return {
    name: 'azurite',
    args: ['node_modules/azurite/dist/src/azurite.js', '--silent', ...place, '--disableTelemetry', '--skipApiVersionCheck', '--oauth', 'basic',
      '--cert', 'certs/upstream.pem', '--key', 'certs/upstream.key', ...SERVICES.flatMap((service) => [`--${service}Port`, String(ports[`${service}-port`])])],
    env: { AZURITE_ACCOUNTS: `${ACCOUNT}:${key}` },
    ready: SERVICES.map((service) => `${service[0]?.toUpperCase()}${service.slice(1)} service is successfully listening`),
    patience: 3000,
  }
}

export const demoApi = (ports: Ports): Service => ({
  name: 'demo-api',
  args: ['scripts/demo-api.ts', '--port', String(ports['api-port']), '--cert', 'certs/upstream.pem', '--key', 'certs/upstream.key'],
  ready: ['demo API listening'],
  patience: 3000,
})

export const gate = (): Service => ({
  name: 'tidegate',
  args: ['src/cli/main.ts', 'serve', '--config', '.dev/tidegate.yaml'],
  ready: ['"msg":"listening"'],
  // Its own deadline for draining, and a little.
  patience: 5000,
})
