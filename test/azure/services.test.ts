import t from 'tap'
import { SERVICES, SERVICE_NAMES } from '../../src/azure/services.ts'

void t.test('what differs between the services (spec/sas.md 2.1, 6.1, 15.1)', async (test) => {
  const rows = [
    ['blob', 'xml', 'blob', 'b'],
    ['dfs', 'json', 'blob', 'b'],
    ['file', 'xml', 'file', 'f'],
    ['queue', 'xml', 'queue', 'q'],
    ['table', 'odata', 'table', 't'],
  ]
  test.strictSame(SERVICE_NAMES.map((name) => [name, SERVICES[name].errorFormat, SERVICES[name].resourceWord, SERVICES[name].accountSasLetter]), rows)
})
