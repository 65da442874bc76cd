import t from 'tap'
import { headFor, throughStages, withoutFields, withoutLength, type ReplySink, type ReplyStage } from '../../src/gate/reply-stages.ts'
import type { ResponseHead } from '../../src/upstream/response-head.ts'

const HEAD: ResponseHead = { status: 200, reasonPhrase: 'OK', headers: ['Content-Length', '4', 'ETag', '"1"', 'content-md5', 'x'], framing: 'length', length: 4, persistent: true, keepAliveSeconds: undefined }

function recording(): { seen: string[]; sink: ReplySink } {
  const seen: string[] = []
  return { seen, sink: { head: (head) => void seen.push(`head ${head.status}`), data: (chunk) => (seen.push(chunk.toString()), true), end: () => void seen.push('end') } }
}

const marking = (mark: string): ReplyStage => (next) => ({ head: (head) => next.head(head), data: (chunk) => next.data(Buffer.from(chunk.toString() + mark)), end: () => next.end() })

void t.test('stages come in their order, and none costs nothing', async (test) => {
  const { seen, sink } = recording()
  test.equal(throughStages(undefined, sink), sink)
  test.equal(throughStages([], sink), sink)
  const first = throughStages([marking('1'), marking('2')], sink)
  first.head(HEAD)
  first.data(Buffer.from('x'))
  first.end()
  test.same(seen, ['head 200', 'x12', 'end'])
})

const holding: ReplyStage = (next) => {
  let head: ResponseHead | undefined
  return { head: (it) => void (head = it), data: (chunk) => (head === undefined || next.head(head), head = undefined, next.data(chunk)), end: () => next.end() }
}

void t.test('a stage may hold the head until it knows more', async (test) => {
  const { seen, sink } = recording()
  const first = throughStages([holding], sink)
  first.head(HEAD)
  test.same(seen, [])
  first.data(Buffer.from('x'))
  test.same(seen, ['head 200', 'x'])
})

void t.test('lengths and digests go where the body changes', async (test) => {
  test.match(withoutLength(HEAD), { headers: ['ETag', '"1"'], framing: 'chunked', length: 0 })
  test.equal(withoutLength({ ...HEAD, framing: 'none' }).headers.length, 6)
  test.equal(withoutLength({ ...HEAD, framing: 'close' }).framing, 'close')
  test.match(headFor(HEAD, Buffer.from('abc')), { headers: ['ETag', '"1"', 'Content-Length', '3'], framing: 'length', length: 3 })
  test.same(withoutFields(['A', '1', 'b', '2'], new Set(['a'])), ['b', '2'])
})
