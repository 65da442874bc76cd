// A signature under another name is refused, never passed as "no SAS" (security.md F19); and `snapshot` and `versionid` beside
// a SAS follow the rules of its names (F18).
import t from 'tap'
import { mayHoldSas } from '../../src/sas/admission.ts'
import { likenessOf } from '../../src/sas/disguise.ts'
import { refusalOf } from '../support/verdict.ts'
import { accountParams, admit, blobParams, issued } from './ground.ts'

const TOKEN = issued(blobParams())
const SNAPSHOT = '2026-11-01T00:00:00.0000000Z'
const verdict = (query: string): string => refusalOf(() => admit({ query }))?.reason ?? admit({ query })?.outcome ?? 'no SAS'

const NAMES = ['%u0073ig', 'sig%00', 'sig+', '+sig', 'sig%20', '%20sig', 'SIG', 's%69G', 'sig%09', 'sig%0A', '%EF%BB%BFsig', 's%E2%80%8Big', '%EF%BD%93%EF%BD%89%EF%BD%87', '%2573ig', '%2573%2569%2567', 'sig[]', 'sig%5B0%5D', 's%C2%ADig', '%C5%BFig']

void t.test('the rest of a SAS without its sig is refused, whatever the signature is called', async (test) => {
  for (const name of [...NAMES, 'sig.x', 'xsig', 'signature', '%FFsig', 'sig%']) test.equal(verdict(TOKEN.replace('sig=', `${name}=`)), 'sas-malformed', name)
  test.equal(verdict(TOKEN.replace(/&sig=.*/, '')), 'sas-malformed', 'no signature at all')
  test.equal(verdict(issued(accountParams()).replace('sig=', 'gis=')), 'sas-malformed')
})

void t.test('a disguised signature alone is refused as well', async (test) => {
  for (const name of NAMES) test.equal(verdict(`comp=list&${name}=x`), 'sas-malformed', name)
  for (const name of ['SV', 'sv+', 'sp%20', '%2573v', 'se%00', 's%EF%BD%90']) test.equal(verdict(`comp=list&${name}=x`), 'sas-malformed', name)
})

void t.test('what is no SAS by any reading is sent upstream as it is', async (test) => {
  for (const query of ['comp=list&restype=container&prefix=a%20b', 'sv=2025-05-05', 'se=1&sp=r', '$filter=x+eq+1', '%24filter=sig', 'x=%zz', 'x=sig&y=%00', 'signature=1', 'a[]=1', 'design=1', 'x%20y=1', '%C3%A4=1']) test.equal(verdict(query), 'no SAS', query)
})

void t.test('the refusal tells neither name nor value', async (test) => {
  for (const name of ['%u0073ig', '%zz']) test.notMatch(JSON.stringify(refusalOf(() => admit({ query: `${name}=c2VjcmV0` }))), /zz|u0073|c2Vj/)
})

void t.test('snapshot and versionid beside a SAS come once, spelt exactly, without control characters', async (test) => {
  test.equal(verdict(`${TOKEN}&snapshot=${SNAPSHOT}`), 'tightened')
  test.equal(verdict(`${TOKEN}&%73napshot=${SNAPSHOT}`), 'tightened', 'encoded it is the same name')
  for (const name of ['snapshot', 'versionid']) {
    const others = [`${name}=1&${name}=2`, `${name}=1&${name}`, `${name}&%${name.charCodeAt(0).toString(16)}${name.slice(1)}=1`, `${name.toUpperCase()}=1`, `${name}=1&${name[0]?.toUpperCase()}${name.slice(1)}=2`, `${name}+=1`, `%20${name}=1`,
      `${name}%09=1`, `${name}=a%0Ab`, `${name}=%00`, `${name}=%C2%85`, `${name}=%zz`, `${name}[]=1`, `%25${name.charCodeAt(0).toString(16)}${name.slice(1)}=1`]
    for (const other of others) {
      test.equal(verdict(`${TOKEN}&${other}`), 'sas-malformed', other)
      test.equal(verdict(`${other}&${TOKEN}`), 'sas-malformed', `${other} first`)
      test.match(refusalOf(() => admit({ query: `${TOKEN}&${other}` }))?.tells, { QueryParameterName: name })
      if (!other.includes('%00=')) test.equal(verdict(other), 'no SAS', `${other} without a SAS is the service's to judge`)
    }
  }
})

void t.test('a query of a foreign source is looked at where any reader may find a SAS in it', async (test) => {
  for (const query of ['sig=x', 'SIG=', '%u0073ig=x&sv=1&sp=r', 'sig+=x', 'sv=1&se=2', 's%56=1&si=2']) test.equal(mayHoldSas(query), true, query)
  for (const query of ['', 'x=1', 'sv=1', 'sp=1&se=2', 'X-Amz-Signature=1']) test.equal(mayHoldSas(query), false, query)
})

void t.test('a name is like a SAS name in any spelling, at any length that counts', async (test) => {
  test.equal(likenessOf('ſig'), 'sig')
  test.equal(likenessOf('version id'), 'versionid')
  test.equal(likenessOf(`sig${' '.repeat(100)}`), undefined)
  test.equal(likenessOf('sigh'), undefined)
})
