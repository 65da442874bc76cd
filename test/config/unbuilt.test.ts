import { test } from 'tap'
import { unbuiltFaults } from '../../src/config/unbuilt.ts'

const TABLE = [{ path: 'a.b', built: [1, 2] }, { path: 'list[].part' }, { path: 'whole' }]

await test('what is built or absent passes', async (t) => {
  for (const draft of [{}, { a: {} }, { a: { b: 1 } }, { a: { b: 2 }, list: [] }, { list: [undefined, {}, { other: 1 }] }, undefined]) t.strictSame(unbuiltFaults(draft, TABLE), [])
})

await test('the rest is told with its path', async (t) => {
  t.strictSame(unbuiltFaults({ a: { b: 3 }, list: [{}, { part: ['x'] }], whole: {} }, TABLE), [
    { path: 'a.b', found: '3', allowed: '1 or 2; the rest is not built yet in this version' },
    { path: 'list[1].part', found: 'a list', allowed: 'nothing: not built yet in this version' },
    { path: 'whole', found: 'a section', allowed: 'nothing: not built yet in this version' },
  ])
})
