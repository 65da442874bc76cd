// The shapes of spec/sas.md 15.1 and RFC 9457, field by field.
import t from 'tap'
import { errorReply, type ReplyContext } from '../../src/azure/error-reply.ts'
import type { ServiceName } from '../../src/azure/services.ts'
import { REASONS, REFUSALS, Refusal, type Tells } from '../../src/refusal.ts'

const NOW = Date.parse('2026-11-24T06:40:00.123Z')
const ID = '208c0af3-e002-0013-10ad-2c0669000000'
const TAIL = `\nRequestId:${ID}\nTime:2026-11-24T06:40:00.1230000Z`

const context = (service: ServiceName | undefined, more: Partial<ReplyContext> = {}): ReplyContext =>
  ({ service, requestId: ID, version: undefined, clientRequestId: undefined, now: NOW, head: false, ...more })

/** Fields by lower-case name; fails on a name that comes twice. */
function fieldsOf(headers: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase()
    if (name in fields) throw new Error(`${name} twice`)
    fields[name] = headers[i + 1] ?? ''
  }
  return fields
}

function replyTo(refusal: Refusal, service: ServiceName | undefined, more?: Partial<ReplyContext>) {
  const reply = errorReply(refusal, context(service, more))
  return { ...reply, fields: fieldsOf(reply.headers) }
}

const https = new Refusal('plaintext-http', {}, { AccountName: 'tideoffice' })
const HTTPS_TEXT = 'The account being accessed does not support http.'

void t.test('blob, file and queue: XML behind a byte order mark', async (test) => {
  for (const service of ['blob', 'file', 'queue'] as const) {
    const { status, fields, body, reasonPhrase } = replyTo(https, service)
    test.equal(status, 400)
    test.equal(reasonPhrase, HTTPS_TEXT)
    test.equal(body, `\uFEFF<?xml version="1.0" encoding="utf-8"?><Error><Code>AccountRequiresHttps</Code><Message>${HTTPS_TEXT}${TAIL}</Message><AccountName>tideoffice</AccountName></Error>`)
    test.match(fields, {
      'content-type': 'application/xml', 'content-length': String(Buffer.byteLength(body)), 'x-ms-error-code': 'AccountRequiresHttps', 'x-ms-request-id': ID,
      'x-ms-version': /^\d{4}-\d{2}-\d{2}$/, 'date': 'Tue, 24 Nov 2026 06:40:00 GMT', 'x-tidegate-reason': 'plaintext-http', 'cache-control': 'no-store',
    })
    test.notHas(fields, 'x-request-id')
  }
})

void t.test('table: OData JSON', async (test) => {
  const { fields, body } = replyTo(https, 'table')
  test.equal(fields['content-type'], 'application/json;odata=minimalmetadata;streaming=true;charset=utf-8')
  test.strictSame(JSON.parse(body), { 'odata.error': { code: 'AccountRequiresHttps', message: { lang: 'en-US', value: HTTPS_TEXT + TAIL } } })
  test.equal(fields['x-ms-error-code'], 'AccountRequiresHttps')
})

void t.test('dfs: plain JSON, with the detail of authentication where there is one', async (test) => {
  const { fields, body } = replyTo(https, 'dfs')
  test.equal(fields['content-type'], 'application/json;charset=utf-8')
  test.strictSame(JSON.parse(body), { error: { code: 'AccountRequiresHttps', message: HTTPS_TEXT + TAIL } })
  const detailed = replyTo(new Refusal('sas-no-key', {}, { AuthenticationErrorDetail: 'this gateway cannot verify the SAS' }), 'dfs')
  test.match(JSON.parse(detailed.body), { error: { code: 'AuthenticationFailed', detail: { AuthenticationErrorDetail: 'this gateway cannot verify the SAS' } } })
})

void t.test('no storage name: problem details of RFC 9457', async (test) => {
  const { status, fields, body } = replyTo(new Refusal('path-unknown'), undefined)
  test.equal(status, 404)
  test.strictSame(JSON.parse(body), { type: 'urn:tidegate:reason:path-unknown', title: REFUSALS['path-unknown'].says, status: 404, reason: 'path-unknown', requestId: ID })
  test.match(fields, { 'content-type': 'application/problem+json', 'x-request-id': ID, 'x-tidegate-reason': 'path-unknown' })
  for (const name of Object.keys(fields)) test.notMatch(name, /^x-ms-/)
})

void t.test('elements beside the message, escaped', async (test) => {
  const tells: Tells = { QueryParameterName: 'a<b>&c', Reason: 'twice', HeaderName: 'x-ms-copy-source' }
  const { body } = replyTo(new Refusal('sas-duplicate', {}, tells), 'queue')
  test.ok(body.endsWith('</Message><QueryParameterName>a&lt;b&gt;&amp;c</QueryParameterName><Reason>twice</Reason><HeaderName>x-ms-copy-source</HeaderName></Error>'))
})

void t.test('HEAD: the length of the body that there would be, and none of it', async (test) => {
  for (const service of ['blob', 'table', 'dfs', undefined] as const) {
    const whole = replyTo(https, service)
    const head = replyTo(https, service, { head: true })
    test.equal(head.body, '')
    test.strictSame(head.fields, whole.fields)
    test.equal(head.reasonPhrase, HTTPS_TEXT)
  }
})

void t.test('x-ms-version: the request\'s where it is one', async (test) => {
  const versions = ['2023-11-03', '2020-12-06']
  for (const version of versions) test.equal(replyTo(https, 'blob', { version }).fields['x-ms-version'], version)
  for (const version of ['', 'x', '2023-11-03\r\nSet-Cookie: a', '2023-11-3', ' 2023-11-03', '2023-11-03 ']) {
    test.equal(replyTo(https, 'blob', { version }).fields['x-ms-version'], replyTo(https, 'blob').fields['x-ms-version'], JSON.stringify(version))
  }
})

void t.test('the client\'s own request id: visible ASCII of at most 1024 characters', async (test) => {
  for (const id of ['a', 'x'.repeat(1024), '~!"<>&']) test.equal(replyTo(https, 'blob', { clientRequestId: id }).fields['x-ms-client-request-id'], id)
  for (const id of ['', 'x'.repeat(1025), 'a b', 'é', 'a\r\nb', '\x7f', '\0']) test.notHas(replyTo(https, 'blob', { clientRequestId: id }).fields, 'x-ms-client-request-id', JSON.stringify(id))
  test.notHas(replyTo(https, undefined, { clientRequestId: 'a' }).fields, 'x-ms-client-request-id')
})

void t.test('every reason in every shape: valid, with its status and code, and nothing else than the table says', async (test) => {
  for (const reason of REASONS) {
    const { status, azure, says } = REFUSALS[reason]
    for (const service of ['blob', 'table', 'dfs', undefined] as const) {
      const reply = replyTo(new Refusal(reason, { secret: 'sig=abc' }), service)
      test.equal(reply.status, status ?? 400, `${reason} ${service}`)
      test.equal(reply.fields['x-tidegate-reason'], reason)
      if (service !== undefined) test.equal(reply.fields['x-ms-error-code'], azure ?? 'InternalError')
      test.equal(reply.fields['content-length'], String(Buffer.byteLength(reply.body)))
      test.equal(reply.fields['retry-after'] !== undefined, status === 503)
      test.notMatch(JSON.stringify(reply), /sig=abc/)
      if (service === 'blob') test.match(reply.body, `<Message>${says}`)
      else JSON.parse(reply.body)
      // A reason phrase with anything else would break the head of the reply.
      test.match(reply.reasonPhrase, /^[\x20-\x7e]+$/)
    }
  }
})
