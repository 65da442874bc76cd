// Reads an ARM template as far as ours goes: parameters, resourceId, reference. A second pair of eyes, not Azure's.

interface Template {
  readonly parameters: Readonly<Record<string, unknown>>
  readonly resources: readonly { readonly type: string; readonly name: string; readonly dependsOn?: readonly string[]; readonly properties?: { readonly subnets?: readonly { readonly name: string }[] } }[]
}

const CALL = /(resourceId|parameters)\(((?:'[^']*'(?:, )?)+)\)/g

/** Returns what does not resolve, in words. */
export function templateFaults(text: string): string[] {
  const template = JSON.parse(text) as Template
  const there = new Set(template.resources.flatMap(({ type, name, properties }) => [key(type, ...name.split('/')), ...(properties?.subnets ?? []).map((subnet) => key(`${type}/subnets`, name, subnet.name))]))
  const used = new Set<string>()
  const faults = expressionsIn(template).flatMap((expression) => [...expression.matchAll(CALL)].flatMap(([, call, list = '']) => {
    const [first = '', ...rest] = list.split(', ').map((word) => word.slice(1, -1))
    if (call === 'resourceId') return there.has(key(first, ...rest)) ? [] : [`no resource ${first} ${rest.join('/')}`]
    used.add(first)
    return Object.hasOwn(template.parameters, first) ? [] : [`no parameter ${first}`]
  }))
  const parentless = template.resources.filter(({ type, name }) => name.split('/').length !== type.split('/').length - 1).map(({ name }) => `${name} has another depth than its type`)
  const twice = template.resources.map(({ type, name }) => `${type} ${name}`).filter((one, index, all) => all.indexOf(one) !== index)
  return [...faults, ...Object.keys(template.parameters).filter((name) => !used.has(name)).map((name) => `the parameter ${name} is not used`), ...parentless, ...twice]
}

const key = (type: string, ...names: readonly string[]): string => [type, ...names].join('|').toLowerCase()

function expressionsIn(value: unknown): string[] {
  if (typeof value === 'string') return /^\[(?!\[)/.test(value) ? [value] : []
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(expressionsIn) : []
}
