// The few edits of a storage reply: what is hidden, what is put on the gate's name, and that nothing else changes.
import t from 'tap'
import { editBatchReply, editReplyFields } from '../../../src/gate/storage/reply-edits.ts'

const HOST = 'tideoffice.table.gate.example:8443'
const origin = (pathPrefix = '', host = 'tideoffice.table.core.windows.net') => ({ name: 'tideoffice.table', host, pathPrefix }) as never

function edited(fields: readonly string[], isTable = true, pathPrefix = ''): string[] {
  const own = [...fields]
  editReplyFields(own, isTable, origin(pathPrefix), HOST)
  return own
}

void t.test('the signature in a copy source is hidden in any spelling, all else stays', async (test) => {
  for (const [source, shown] of [
    ['https://a/b?sv=1&sig=abc%3D&x=1', 'https://a/b?sv=1&sig=REDACTED&x=1'], ['https://a/b?sig=abc', 'https://a/b?sig=REDACTED'], ['https://a/b?SIG=abc#x', 'https://a/b?SIG=REDACTED#x'], ['https://a/b?s%69g=abc&%53IG=d', 'https://a/b?s%69g=REDACTED&%53IG=REDACTED'], ['https://a/b?sig=', 'https://a/b?sig=REDACTED'], ['https://a/b?%2573ig=a&sig+=b&S%C2%ADig=c', 'https://a/b?%2573ig=REDACTED&sig+=REDACTED&S%C2%ADig=REDACTED'],
    ['https://a/b?sig=a&sig=b', 'https://a/b?sig=REDACTED&sig=REDACTED'], ['https://a/sig=b', 'https://a/sig=b'], ['https://a/b?xsig=b&signature=c', 'https://a/b?xsig=b&signature=c'], ['https://a/b', 'https://a/b'], ['', ''],
  ] as const) {
    for (const isTable of [true, false]) test.strictSame(edited(['ETag', '"1"', 'X-Ms-Copy-Source', source, 'x-ms-copy-id', '?sig=kept'], isTable), ['ETag', '"1"', 'X-Ms-Copy-Source', shown, 'x-ms-copy-id', '?sig=kept'])
  }
})

void t.test('Location and DataServiceId of tables go on the Host of the request', async (test) => {
  for (const [url, shown] of [
    ["https://tideoffice.table.core.windows.net/L(PartitionKey='a%2Fb',RowKey='')", `https://${HOST}/L(PartitionKey='a%2Fb',RowKey='')`], ['http://TIDEOFFICE.table.core.windows.net/L', `https://${HOST}/L`], ['https://tideoffice.table.core.windows.net', `https://${HOST}/`], ["https://tideoffice.table.core.windows.net/Tables('L')?x=https://tideoffice.table.core.windows.net/", `https://${HOST}/Tables('L')?x=https://tideoffice.table.core.windows.net/`],
    ['https://other.table.core.windows.net/L', 'https://other.table.core.windows.net/L'], ['https://tideoffice.table.core.windows.net.evil.example/L', 'https://tideoffice.table.core.windows.net.evil.example/L'], ['https://tideoffice.table.core.windows.net:444/L', 'https://tideoffice.table.core.windows.net:444/L'], ['/L', '/L'], ["Ledger(PartitionKey='a')", "Ledger(PartitionKey='a')"], ['', ''],
  ] as const) {
    for (const name of ['Location', 'location', 'DataServiceId', 'dataserviceid']) test.strictSame(edited([name, url]), [name, shown], url)
    test.strictSame(edited(['Location', url], false), ['Location', url], 'no other service names entities')
    test.strictSame(edited(['Content-Location', url, 'x-location', url, 'Locations', url]), ['Content-Location', url, 'x-location', url, 'Locations', url])
  }
})

void t.test('the account in the path of an emulator is not the client\'s to see', async (test) => {
  const at = 'https://tideoffice.table.core.windows.net'
  for (const [url, shown] of [[`${at}/tideoffice/L`, `https://${HOST}/L`], [`${at}/tideofficeL`, `https://${HOST}/tideofficeL`], [`${at}/L`, `https://${HOST}/L`]] as const) test.strictSame(edited(['Location', url], true, '/tideoffice'), ['Location', shown])
})

void t.test('in the parts of a batch\'s reply: the same fields, and not a byte of bodies', async (test) => {
  const at = 'https://tideoffice.table.core.windows.net'
  const body = ['--r', 'Content-Type: application/http', '', 'HTTP/1.1 201 Created', `Location: ${at}/L(PartitionKey='a',RowKey='b')`, `DATASERVICEID:\t${at}/L`, `X-Location: ${at}/L`, 'Location: https://elsewhere.example/L', '', `{"odata.metadata":"${at}/$metadata","note":"Location: ${at}/L"}`, `Locations: ${at}/L`, '--r--', 'caf\xc3\xa9'].join('\r\n')
  const expected = body.replace(`Location: ${at}/L(P`, `Location: https://${HOST}/L(P`).replace(`DATASERVICEID:\t${at}/L`, `DATASERVICEID: https://${HOST}/L`)
  test.equal(editBatchReply(body, origin(), HOST), expected)
  test.equal(editBatchReply(body.replaceAll('\r\n', '\n'), origin(), HOST), expected.replaceAll('\r\n', '\n'))
  test.equal(editBatchReply('', origin(), HOST), '')
})
