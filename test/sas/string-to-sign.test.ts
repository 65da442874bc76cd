// The rows against what spec/sas.md 5 says of each: how many fields, and which versions share a layout.
import t from 'tap'
import { SAS_NAMES } from '../../src/sas/fields.ts'
import { type Lines, layoutFor, stringToSign } from '../../src/sas/string-to-sign.ts'

/** Every line says its own name. */
const LINES = Object.fromEntries([...SAS_NAMES, 'snapshot', 'versionid', 'ACCOUNT', 'RES', 'SNAP', 'HDR', 'QRY'].map((name) => [name, name])) as Lines

const ROWS = [
  ['account', 'queue', '2015-04-05', 10], ['account', 'blob', '2020-10-02', 10], ['account', 'table', '2020-12-06', 11], ['account', 'file', '2099-01-01', 11],
  ['service', 'blob', '2015-04-05', 13], ['service', 'blob', '2018-03-28', 13], ['service', 'blob', '2018-11-09', 15], ['service', 'blob', '2020-10-02', 15], ['service', 'blob', '2020-12-06', 16], ['service', 'blob', '2026-10-06', 16],
  ['service', 'file', '2015-04-05', 13], ['service', 'file', '2026-10-06', 13], ['service', 'queue', '2026-10-06', 8], ['service', 'table', '2015-04-05', 12], ['service', 'table', '2026-10-06', 12],
  ['user-delegation', 'blob', '2018-11-09', 20], ['user-delegation', 'blob', '2019-12-12', 20], ['user-delegation', 'blob', '2020-02-10', 23], ['user-delegation', 'blob', '2020-12-06', 24],
  ['user-delegation', 'blob', '2025-07-05', 26], ['user-delegation', 'blob', '2026-02-06', 26], ['user-delegation', 'blob', '2026-04-06', 28], ['user-delegation', 'blob', '2026-10-06', 28],
  ['user-delegation', 'queue', '2025-07-05', 15], ['user-delegation', 'queue', '2026-06-06', 15], ['user-delegation', 'file', '2025-07-05', 20], ['user-delegation', 'file', '2026-10-06', 20],
] as const

for (const [kind, word, version, fields] of ROWS) {
  void t.test(`${kind} ${word} ${version}`, async (test) => {
    const layout = layoutFor(kind, word, version)
    if (layout === undefined) throw new Error('there is no layout')
    const text = stringToSign(layout, LINES)
    test.equal(text.split('\n').length, fields)
    test.equal(text.endsWith('\n'), kind === 'account')
    test.equal(stringToSign(layout, {} as Lines), '\n'.repeat(fields - 1), 'absent is an empty line')
  })
}

void t.test('where there is no layout', async (test) => {
  const rows = [['account', 'blob', '2015-04-04'], ['service', 'table', '2015-02-21'], ['user-delegation', 'blob', '2018-11-08'], ['user-delegation', 'queue', '2025-05-05'], ['user-delegation', 'file', '2025-05-05'], ['user-delegation', 'table', '2026-10-06']] as const
  for (const [kind, word, version] of rows) test.equal(layoutFor(kind, word, version), undefined, `${kind} ${word} ${version}`)
})
