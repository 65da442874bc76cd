// Which resource a path is, level by level (spec/sas.md 6), and the readings that are tried.
import t from 'tap'
import type { ServiceName } from '../../src/azure/services.ts'
import { checkTable, readingsOf } from '../../src/sas/canonical-resource.ts'
import { readQuery } from '../../src/sas/query.ts'
import { readSas } from '../../src/sas/token.ts'
import { refusalOf } from '../support/verdict.ts'
import { ACCOUNT, KEY1, admit, blobParams, issued, paramsOf } from './ground.ts'
import { pairsOf, secondSign } from './second.ts'

type Params = Readonly<Record<string, string | undefined>>
const SHORT = '2025-05-05'

/** Resources with the snapshot line after a `|`; the reason where it is refused. */
function readings(service: ServiceName, decodedPath: string, params: Params): readonly string[] | string {
  const token = readSas(readQuery(issued(blobParams({ sr: undefined, ...params }), { service })), service)
  let found: readonly string[] = []
  const refusal = refusalOf(() => { found = readingsOf(token, decodedPath, service, ACCOUNT).map(({ resource, snapshot }) => snapshot === '' ? resource : `${resource}|${snapshot}`) })
  return refusal?.reason ?? found
}

const ROWS: readonly (readonly [ServiceName, path: string, Params, expected: readonly string[] | string])[] = [
  ['blob', '/c/b', { sr: 'b' }, ['/blob/tideoffice/c/b']],
  ['dfs', '/c/d/f', { sr: 'b' }, ['/blob/tideoffice/c/d/f']],
  ['blob', '/c/a%2Fb 100%', { sr: 'b' }, ['/blob/tideoffice/c/a%2Fb 100%']],
  ['blob', '/c//b/', { sr: 'b' }, ['/blob/tideoffice/c//b/']],
  ['blob', '/robots.txt', { sr: 'b' }, ['/blob/tideoffice/$root/robots.txt']],
  ['blob', '/$web/i', { sr: 'b' }, ['/blob/tideoffice/$web/i']],
  ['blob', '/', { sr: 'b' }, 'sas-resource'],
  ['blob', '/c/', { sr: 'b' }, 'sas-resource'],
  ['blob', '/c/b', { sr: 'b', snapshot: 'T' }, ['/blob/tideoffice/c/b', '/blob/tideoffice/c/b|T']],
  ['blob', '/c/b', { sr: 'bs', snapshot: 'T' }, ['/blob/tideoffice/c/b|T']],
  ['blob', '/c/b', { sr: 'bs' }, ['/blob/tideoffice/c/b']],
  ['blob', '/c/b', { sr: 'bv', versionid: 'V', snapshot: 'T' }, ['/blob/tideoffice/c/b|V']],
  ['blob', '/c', { sr: 'c' }, ['/blob/tideoffice/c', '/blob/tideoffice/$root']],
  ['blob', '/c/b/d', { sr: 'c' }, ['/blob/tideoffice/c']],
  ['blob', '/c/', { sr: 'c' }, ['/blob/tideoffice/c']],
  ['blob', '/', { sr: 'c' }, ['/blob/tideoffice/$root']],
  ['blob', '/c/d/e/f', { sr: 'd', sdd: '2' }, ['/blob/tideoffice/c/d/e', '/blob/tideoffice/c/d/e/']],
  ['blob', '/c/d', { sr: 'd', sdd: '0' }, ['/blob/tideoffice/c', '/blob/tideoffice/c/']],
  ['blob', '/c/d', { sr: 'd', sdd: '1' }, ['/blob/tideoffice/c/d', '/blob/tideoffice/c/d/']],
  ['blob', '/c/d', { sr: 'd', sdd: '2' }, 'sas-resource'],
  ['blob', '/c/d', { sr: 'd' }, 'sas-resource'],
  ['blob', '/c/d', { sr: 'd', sdd: '-1' }, 'sas-resource'],
  ['blob', '/c/d', { sr: 'd', sdd: '1.0' }, 'sas-resource'],
  ['blob', '/c/d', { sr: 'd', sdd: '1e0' }, 'sas-resource'],
  ['blob', '/c/b', { sr: 's' }, 'sas-resource'],
  ['blob', '/c/b', { sr: 'B' }, 'sas-resource'],
  ['blob', '/c/b', {}, 'sas-signature'],
  ['file', '/s/d/f', { sr: 's' }, ['/file/tideoffice/s']],
  ['file', '/s/d/f', { sr: 'f' }, ['/file/tideoffice/s/d/f']],
  ['file', '/s', { sr: 'f' }, 'sas-resource'],
  ['file', '/', { sr: 's' }, 'sas-resource'],
  ['file', '/s/f', { sr: 'b' }, 'sas-resource'],
  ['file', '/s/f', {}, 'sas-signature'],
  ['queue', '/orders/messages', {}, ['/queue/tideoffice/orders']],
  ['queue', '/', {}, 'sas-resource'],
  ['table', '/Ledger()', {}, ['/table/tideoffice/ledger']],
  ['table', "/Ledger(PartitionKey='a/b',RowKey='(')", {}, ['/table/tideoffice/ledger']],
  ['table', '/$batch', { tn: 'Ledger' }, ['/table/tideoffice/ledger']],
  ['table', '/Other', { tn: 'Ledger' }, ['/table/tideoffice/ledger']],
  ['table', '/$batch', {}, 'sas-resource'],
]

for (const [service, path, params, expected] of ROWS) {
  void t.test(`${service} ${path} ${JSON.stringify(params)}`, async (test) => {
    test.strictSame(readings(service, path, params), expected)
  })
}

void t.test('the table of the token is the table of the path', async (test) => {
  const token = readSas(readQuery(issued(paramsOf({ sv: SHORT, se: '2026-11-25', sp: 'r', tn: 'Ledger' }), { service: 'table' })), 'table')
  for (const path of ['/Ledger', '/ledger()', "/LEDGER(PartitionKey='a',RowKey='b')", '/$batch', '/']) test.equal(refusalOf(() => checkTable(token, path, 'table')), undefined, path)
  for (const path of ['/Other', '/Ledger2()', '/Tables', '/$batch2']) test.match(refusalOf(() => checkTable(token, path, 'table')), { reason: 'sas-resource', detail: { kind: 'service' } }, path)
})

void t.test('through the whole decision, tn is checked although its signature holds', async (test) => {
  const query = issued(paramsOf({ sv: SHORT, se: '2026-11-25', sp: 'r', tn: 'Ledger' }), { service: 'table', path: '/Ledger' })
  test.match(admit({ service: 'table', decodedPath: '/$batch', query }), { outcome: 'tightened' })
  test.match(admit({ service: 'table', decodedPath: '/LEDGER()', query }), { outcome: 'tightened' })
  test.equal(refusalOf(() => admit({ service: 'table', decodedPath: '/Other()', query }))?.reason, 'sas-resource')
})

/** Signs a text that an unusual issuer would have made. */
function signedOtherwise(params: readonly [string, string][], text: string): string {
  return `${params.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}&sig=${encodeURIComponent(secondSign(text, KEY1))}`
}

void t.test('what verified in the second reading is signed again in it', async (test) => {
  const rows: readonly (readonly [what: string, path: string, Params, resource: string, snapshot: string])[] = [
    ['a snapshot signed with sr=b', '/c/b', { sr: 'b', snapshot: '2026-11-20T10:11:12.1234567Z' }, '/blob/tideoffice/c/b', '2026-11-20T10:11:12.1234567Z'],
    ['a directory with a slash', '/c/d/e', { sr: 'd', sdd: '1' }, '/blob/tideoffice/c/d/', ''],
    ['a container token of the root container', '/robots.txt', { sr: 'c' }, '/blob/tideoffice/$root', ''],
  ]
  for (const [what, decodedPath, more, resource, snapshot] of rows) {
    const params = blobParams(more)
    const text = (spr: string): string => ['r', '2026-11-24T06:00:00Z', '2026-11-25T06:00:00Z', resource, '', '', spr, SHORT, more['sr'], snapshot, '', '', '', '', '', ''].join('\n')
    const verdict = admit({ query: signedOtherwise(params, text('')), decodedPath })
    test.equal(verdict?.outcome, 'tightened', what)
    test.equal(pairsOf(verdict?.query ?? '').find(([name]) => name === 'sig')?.[1], secondSign(text('https'), KEY1), what)
  }
})

void t.test('%2F is a slash of the decoded name', async (test) => {
  const path = '/ledgers/2026%2Fq4.csv'
  test.match(admit({ query: issued(blobParams()), decodedPath: decodeURIComponent(path) }), { outcome: 'tightened' })
})
