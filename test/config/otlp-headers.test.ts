// The file of fields that go with each export: what is taken, and faults that show nothing of it.
import t from 'tap'
import { parseOtlpHeaders } from '../../src/config/otlp-headers.ts'

const parse = (text: string) => parseOtlpHeaders(Buffer.from(text))

void t.test('one field a line', async (test) => {
  test.strictSame(parse('Authorization: Bearer abc:def==\r\n\nx-tenant:7  \n'), { 'Authorization': 'Bearer abc:def==', 'x-tenant': '7' })
})

void t.test('what is none', async (test) => {
  const rows: [text: string, found: RegExp][] = [['', /empty/], ['\n\n', /empty/], ['s3cret', /line 1 is no field/], ['A: b\ns3cret', /line 2/], ['A:\n', /line 1/], ['A b: s3cret', /line 1/], ['A: s3\u0007cret', /line 1/], ['Content-Length: 3', /sets itself/], ['host: x', /sets itself/]]
  for (const [text, found] of rows) {
    const result = parse(text)
    test.match(result, found, JSON.stringify(text))
    test.notMatch(JSON.stringify(result), /s3/)
  }
})
