import { test } from 'tap'
import { KINDS, Unfit, durationText, sizeText, type Bounds, type KindName } from '../../src/config/kinds.ts'

const read = (kind: KindName, value: string | number | boolean, bounds: Bounds = {}): unknown => {
  const found = KINDS[kind].read(value, bounds)
  return found instanceof Unfit ? 'unfit' : found
}

const TABLE: [KindName, [string | number | boolean, unknown][]][] = [
  ['duration', [['500ms', 500], ['10s', 10_000], ['2m', 120_000], ['24h', 86_400_000], ['0s', 0], ['10', 'unfit'], [10, 'unfit'], ['1.5s', 'unfit'], ['-1s', 'unfit'],
    ['10 s', 'unfit'], ['1d', 86_400_000], ['s', 'unfit'], ['10S', 'unfit'], ['1KiB', 'unfit'], ['99999999999999999999s', 'unfit'], [true, 'unfit']]],
  ['size', [['16KiB', 16_384], ['64MiB', 67_108_864], ['1GiB', 1_073_741_824], ['512B', 512], ['16KB', 'unfit'], ['16k', 'unfit'], ['16', 'unfit'], [16, 'unfit'], ['10s', 'unfit']]],
  ['integer', [[0, 0], [65_535, 65_535], [-1, 'unfit'], [1.5, 'unfit'], ['1', 'unfit'], [Infinity, 'unfit'], [true, 'unfit']]],
  ['workers', [['auto', 'auto'], [4, 4], ['four', 'unfit']]],
  ['boolean', [[true, true], [false, false], ['yes', 'unfit'], [1, 'unfit']]],
  ['bind', [['0.0.0.0', '0.0.0.0'], ['::', '::'], ['localhost', 'localhost'], ['a b', 'unfit'], ['[::]', 'unfit'], ['', 'unfit'], ['a:1', 'unfit']]],
  ['name', [['Payroll.Tide.Example', 'payroll.tide.example'], ['tide.example.', 'tide.example'], ['*.tide.example', 'unfit'], ['tide.example:443', 'unfit'], ['-a', 'unfit'],
    ['a..b', 'unfit'], ['', 'unfit'], ['a'.repeat(64), 'unfit'], ['tide.example/', 'unfit']]],
  ['prefix', [['/', '/'], ['/v1', '/v1'], ['/v1/', '/v1'], ['/v1/a.b', '/v1/a.b'], ['v1', 'unfit'], ['/v1/../a', 'unfit'], ['/.', 'unfit'], ['/v1/%2e', 'unfit'], ['//', 'unfit'],
    ['/a//b', 'unfit'], ['/a?b', 'unfit'], ['/a#b', 'unfit'], ['/a b', 'unfit'], ['/ä', 'unfit'], ['/a\\b', 'unfit'], ['/...', '/...']]],
  ['account', [['tideoffice', 'tideoffice'], ['benchaccount', 'benchaccount'], ['abc', 'abc'], ['ab', 'unfit'], ['a'.repeat(25), 'unfit'], ['Tide', 'unfit'], ['tide-office', 'unfit']]],
  ['label', [['payroll', 'payroll'], ['pay.roll-2_b', 'pay.roll-2_b'], ['pay roll', 'unfit'], ['-a', 'unfit'], ['a'.repeat(64), 'unfit']]],
  ['address', [['203.0.113.7', '203.0.113.7'], ['203.0.113.7-203.0.113.9', '203.0.113.7-203.0.113.9'], ['203.0.113.7-::1', 'unfit'], ['a-b', 'unfit'], ['1.1.1.1-1.1.1.2-1.1.1.3', 'unfit']]],
  ['network', [['10.0.0.0/24', '10.0.0.0/24'], ['10.0.0.1', '10.0.0.1'], ['fd00::/8', 'fd00::/8'], ['10.0.0.0/33', 'unfit'], ['fd00::/129', 'unfit'], ['10.0.0.0/', 'unfit'], ['all', 'unfit']]],
  ['san', [['URI:spiffe://tide/office-1', 'URI:spiffe://tide/office-1'], ['DNS:a.example', 'DNS:a.example'], ['IP:10.0.0.1', 'unfit'], ['URI:', 'unfit']]],
  ['file', [['certs/a.pem', 'certs/a.pem'], ['/var/run/secrets/tidegate/accountkeys/tideoffice/key1', '/var/run/secrets/tidegate/accountkeys/tideoffice/key1'], ['', 'unfit'], [1, 'unfit'], ['a\0b', 'unfit'],
    ['-----BEGIN PRIVATE KEY-----', 'unfit'], [`${'A'.repeat(86)}==`, 'unfit'], ['DefaultEndpointsProtocol=https;AccountKey=abc', 'unfit']]],
  ['connect', [['10.1.0.4:443', { host: '10.1.0.4', port: 443 }], ['10.1.0.4', 'unfit']]],
]

for (const [kind, rows] of TABLE) {
  await test(kind, async (t) => {
    for (const [value, expected] of rows) t.strictSame(read(kind, value), expected, `${typeof value} ${String(value).slice(0, 60)}`)
  })
}

await test('bounds hold and are told', async (t) => {
  t.equal(read('integer', 0, { minimum: 1 }), 'unfit')
  t.equal(read('integer', 11, { maximum: 10 }), 'unfit')
  t.equal(read('duration', '2h', { minimum: 1, maximum: 3_600_000 }), 'unfit')
  t.equal(read('choice', 'b', { enum: ['a', 'b'] }), 'b')
  t.equal(read('choice', 'c', { enum: ['a', 'b'] }), 'unfit')
  t.equal(KINDS.integer.allowed({ minimum: 0, maximum: 65_535 }), 'a whole number from 0 to 65535')
  t.equal(KINDS.duration.allowed({ minimum: 1, maximum: 86_400_000 }), 'a duration such as 500ms, 10s, 2m, 24h or 7d, from 1ms to 24h')
  t.equal(KINDS.size.allowed({ minimum: 1024 }), 'a size such as 512B, 16KiB or 64MiB, from 1KiB')
  t.equal(KINDS.choice.allowed({ enum: ['a', 'b'] }), 'one of a, b')
})

await test('durations and sizes are written as they are read', async (t) => {
  for (const text of ['1ms', '90s', '2m', '24h']) t.equal(durationText(Number(read('duration', text))), text)
  for (const text of ['1B', '32KiB', '64MiB', '2GiB']) t.equal(sizeText(Number(read('size', text))), text)
  t.equal(durationText(0), '0s')
  t.equal(sizeText(0), '0B')
})
