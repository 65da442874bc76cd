import t from 'tap'
import { CHECKS, Readiness } from '../../src/admin/readiness.ts'

void t.test('ready when nothing is missing, and not before', async (test) => {
  const readiness = new Readiness()
  test.strictSame([...readiness.missing].toSorted(), [...CHECKS].toSorted())
  for (const check of CHECKS) {
    test.notOk(readiness.has(check))
    readiness.set(check, true)
    test.ok(readiness.has(check))
  }
  test.strictSame(readiness.missing, [])
})

void t.test('what goes away again is missing again', async (test) => {
  const readiness = new Readiness()
  for (const check of CHECKS) readiness.set(check, true)
  readiness.set('certificates', false)
  test.strictSame(readiness.missing, ['certificates'])
  readiness.set('certificates', true)
  readiness.set('workers', true)
  test.strictSame(readiness.missing, [])
})

void t.test('draining is one way, whatever else is there', async (test) => {
  const readiness = new Readiness()
  for (const check of CHECKS) readiness.set(check, true)
  test.notOk(readiness.draining)
  readiness.startDraining()
  readiness.startDraining()
  for (const check of CHECKS) readiness.set(check, true)
  test.ok(readiness.draining)
  test.strictSame(readiness.missing, ['draining'])
  readiness.set('workers', false)
  test.strictSame([...readiness.missing].toSorted(), ['draining', 'workers'])
})
