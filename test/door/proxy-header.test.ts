// PROXY headers: both versions by table, every prefix, and what is none.
import t from 'tap'
import { parseProxyHeader, type ProxyHeaderState } from '../../src/door/proxy-header.ts'

const v1 = (line: string, rest = ''): ProxyHeaderState => parseProxyHeader(Buffer.from(`PROXY ${line}\r\n${rest}`, 'latin1'))
const lengthOf = (line: string): number => `PROXY ${line}\r\n`.length

void t.test('version 1: who came', async (test) => {
  for (const [line, address, port] of [
    ['TCP4 192.0.2.1 198.51.100.1 1 443', '192.0.2.1', 1], ['TCP4 0.0.0.0 255.255.255.255 0 65535', '0.0.0.0', 0], ['TCP4 255.255.255.255 255.255.255.255 65535 65535', '255.255.255.255', 65535],
    ['TCP6 2001:db8::1 2001:db8::2 56324 443', '2001:db8::1', 56324], ['TCP6 ::1 :: 1 1', '::1', 1], ['TCP6 ::ffff:192.0.2.1 ::1 1 1', '::ffff:192.0.2.1', 1],
    ['TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 65535],
  ] as const) test.strictSame(v1(line), { client: { address, port }, length: lengthOf(line) }, line)
  for (const line of ['UNKNOWN', 'UNKNOWN ', 'UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535', 'UNKNOWN \xff\x00 anything']) test.strictSame(v1(line), { client: undefined, length: lengthOf(line) }, line)
})

void t.test('version 1: what follows is not looked at', async (test) => {
  const line = 'TCP4 192.0.2.1 198.51.100.1 1 443'
  for (const rest of ['\x16\x03\x01', 'PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n', '\r\n', 'GET / HTTP/1.1\r\n\r\n']) test.match(v1(line, rest), { length: lengthOf(line) })
})

void t.test('version 1: none', async (test) => {
  for (const line of [
    'TCP4', 'TCP4 192.0.2.1', 'TCP4 192.0.2.1 198.51.100.1', 'TCP4 192.0.2.1 198.51.100.1 1', 'TCP4 192.0.2.1 198.51.100.1 1 443 x', 'TCP4 192.0.2.1 198.51.100.1 1 443 ',
    'TCP4  192.0.2.1 198.51.100.1 1 443', 'TCP4\t192.0.2.1 198.51.100.1 1 443', ' TCP4 192.0.2.1 198.51.100.1 1 443',
    'TCP4 192.0.2.256 198.51.100.1 1 443', 'TCP4 192.0.2.01 198.51.100.1 1 443', 'TCP4 192.0.2 198.51.100.1 1 443', 'TCP4 2001:db8::1 2001:db8::2 1 443', 'TCP6 192.0.2.1 198.51.100.1 1 443', 'TCP4 192.0.2.1 ::1 1 443', 'TCP6 ::1 192.0.2.1 1 443',
    'TCP4 192.0.2.1 198.51.100.1 65536 443', 'TCP4 192.0.2.1 198.51.100.1 1 65536', 'TCP4 192.0.2.1 198.51.100.1 -1 443', 'TCP4 192.0.2.1 198.51.100.1 +1 443', 'TCP4 192.0.2.1 198.51.100.1 01 443', 'TCP4 192.0.2.1 198.51.100.1 1e3 443', 'TCP4 192.0.2.1 198.51.100.1 0x1 443', 'TCP4 192.0.2.1 198.51.100.1  443', 'TCP4 192.0.2.1 198.51.100.1 100000 443',
    'TCP6 fe80::1%eth0 ::1 1 1', 'TCP6 ::1 fe80::1%1 1 1', 'TCP6 [::1] ::1 1 1', 'TCP6 1::2::3 ::1 1 1', 'TCP6 12345::1 ::1 1 1',
    'tcp4 192.0.2.1 198.51.100.1 1 443', 'TCP5 192.0.2.1 198.51.100.1 1 443', 'UDP4 192.0.2.1 198.51.100.1 1 443', 'unknown', 'UNKNOWNX', '', 'x',
  ]) test.equal(v1(line), 'invalid', JSON.stringify(line))
})

void t.test('version 1: 107 bytes and no more', async (test) => {
  const most = `UNKNOWN ${'x'.repeat(107 - 'PROXY UNKNOWN \r\n'.length)}`
  test.match(v1(most), { length: 107 })
  test.equal(v1(`${most}x`), 'invalid')
  test.equal(parseProxyHeader(Buffer.from(`PROXY UNKNOWN ${'x'.repeat(92)}`)), 'more', '106 bytes without an end')
  test.equal(parseProxyHeader(Buffer.from(`PROXY UNKNOWN ${'x'.repeat(93)}`)), 'invalid', '107 bytes without an end')
  test.equal(parseProxyHeader(Buffer.from('PROXY UNKNOWN\n')), 'more', 'LF alone ends nothing')
})

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** A version 2 header; `size` other than the true one where it is given. */
function v2(command: number, family: number, body: Buffer = Buffer.alloc(0), size = body.length): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.from([command, family, size >> 8, size & 0xff]), body])
}

const ports = (source: number, destination = 443): Buffer => Buffer.from([source >> 8, source & 0xff, destination >> 8, destination & 0xff])
const ipv4 = (source: number[], port = 1): Buffer => Buffer.concat([Buffer.from([...source, 198, 51, 100, 1]), ports(port)])
const ipv6 = (hex: string, port = 1): Buffer => Buffer.concat([Buffer.from(hex.padEnd(32, '0'), 'hex'), Buffer.alloc(16, 0xff), ports(port)])
const tlv = (type: number, value: Buffer): Buffer => Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 0xff]), value])

void t.test('version 2: who came', async (test) => {
  for (const [header, address, port] of [
    [v2(0x21, 0x11, ipv4([192, 0, 2, 1], 56324)), '192.0.2.1', 56324], [v2(0x21, 0x12, ipv4([0, 0, 0, 0], 65535)), '0.0.0.0', 65535],
    [v2(0x21, 0x21, ipv6('20010db8000000000000000000000001', 0)), '2001:db8::1', 0], [v2(0x21, 0x22, ipv6('00', 258)), '::', 258],
    [v2(0x21, 0x21, ipv6('20010db8000000010000000000000000')), '2001:db8:0:1::', 1], [v2(0x21, 0x21, ipv6('00000000000000000000ffffc0000201')), '::ffff:c000:201', 1], [v2(0x21, 0x21, ipv6('ff'.repeat(16))), 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 1],
  ] as const) test.strictSame(parseProxyHeader(Buffer.concat([header, Buffer.from('\x16\x03')])), { client: { address, port }, length: header.length }, address)
})

void t.test('version 2: a balancer that speaks for itself, or cannot say who came', async (test) => {
  for (const header of [v2(0x20, 0x00), v2(0x20, 0x11, ipv4([1, 2, 3, 4])), v2(0x20, 0xff, Buffer.alloc(7)), v2(0x21, 0x00), v2(0x21, 0x00, Buffer.alloc(40)), v2(0x21, 0x31, Buffer.alloc(216)), v2(0x21, 0x32, Buffer.alloc(216))]) {
    test.strictSame(parseProxyHeader(header), { client: undefined, length: header.length })
  }
})

void t.test('version 2: TLVs are tolerated, and must add up', async (test) => {
  const alpn = tlv(0x01, Buffer.from('h2'))
  const azure = tlv(0xee, Buffer.from([1, 0x78, 0x56, 0x34, 0x12]))
  const address = ipv4([192, 0, 2, 1])
  for (const tlvs of [[alpn], [azure], [alpn, azure, tlv(0x04, Buffer.alloc(0)), tlv(0x20, Buffer.alloc(300))], [tlv(0x04, Buffer.alloc(4096 - 12 - 3))]]) {
    test.match(parseProxyHeader(v2(0x21, 0x11, Buffer.concat([address, ...tlvs]))), { client: { address: '192.0.2.1' } })
  }
  for (const odd of [[1], [1, 0], [1, 0, 5], [1, 0, 5, 1, 2, 3, 4], [1, 0, 0, 9], [1, 0xff, 0xff]]) test.equal(parseProxyHeader(v2(0x21, 0x11, Buffer.concat([address, Buffer.from(odd)]))), 'invalid', String(odd))
})

void t.test('version 2: none', async (test) => {
  const address = ipv4([192, 0, 2, 1])
  for (const command of [0x00, 0x01, 0x10, 0x11, 0x22, 0x2f, 0x30, 0x31, 0xff]) test.equal(parseProxyHeader(v2(command, 0x11, address)), 'invalid', `command ${command}`)
  for (const family of [0x01, 0x02, 0x10, 0x13, 0x20, 0x23, 0x30, 0x33, 0x41, 0xff]) test.equal(parseProxyHeader(v2(0x21, family, Buffer.alloc(216))), 'invalid', `family ${family}`)
  for (const [family, least] of [[0x11, 12], [0x12, 12], [0x21, 36], [0x22, 36]] as const) {
    for (const size of [0, 1, least - 1]) test.equal(parseProxyHeader(v2(0x21, family, Buffer.alloc(size))), 'invalid', `${size} bytes for family ${family}`)
  }
  test.equal(parseProxyHeader(v2(0x21, 0x11, Buffer.alloc(0), 4097)), 'invalid', 'too long, said at once')
  test.equal(parseProxyHeader(v2(0x20, 0x00, Buffer.alloc(0), 0xffff)), 'invalid')
  test.equal(parseProxyHeader(v2(0x20, 0x00, Buffer.alloc(0), 4096)), 'more')
})

void t.test('every prefix of a header asks for more, and no other bytes do', async (test) => {
  for (const header of [Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 1 443\r\n'), Buffer.from('PROXY UNKNOWN\r\n'), v2(0x21, 0x11, Buffer.concat([ipv4([192, 0, 2, 1]), tlv(4, Buffer.alloc(9))])), v2(0x21, 0x21, ipv6('01')), v2(0x20, 0x00)]) {
    for (let length = 0; length < header.length; length += 1) test.equal(parseProxyHeader(header.subarray(0, length)), 'more', `${length} of ${header.length}`)
    test.match(parseProxyHeader(header), { length: header.length })
    for (let at = 0; at < Math.min(header.length, 6); at += 1) {
      const other = Buffer.from(header)
      other[at] = (other[at] ?? 0) ^ 0x20
      test.equal(parseProxyHeader(other), 'absent', `another byte at ${at}`)
      test.equal(parseProxyHeader(other.subarray(0, at + 1)), 'absent', 'at the first byte that differs')
    }
  }
  for (const bytes of ['\x16\x03\x01', 'GET / HTTP/1.1\r\n', 'PUT', 'PRI * HTTP/2.0', 'proxy TCP4', 'PROXYX', '\r\nGET', '\r\n\r\n\0\r\nQUIT\r', '\0']) test.equal(parseProxyHeader(Buffer.from(bytes, 'latin1')), 'absent', JSON.stringify(bytes))
})

const azureTlv = (...bytes: number[]): Buffer => tlv(0xee, Buffer.from(bytes))

void t.test('version 2: the Private Link id of Azure, and what is none', async (test) => {
  const read = (...tlvs: Buffer[]): ProxyHeaderState => parseProxyHeader(v2(0x21, 0x11, Buffer.concat([ipv4([10, 0, 0, 4]), ...tlvs])))
  for (const [bytes, link] of [[[1, 0x15, 0xcd, 0x5b, 0x07], 123_456_789], [[1, 1, 0, 0, 0x10], 268_435_457], [[1, 0xff, 0xff, 0xff, 0xff], 4_294_967_295], [[1, 0, 0, 0, 0], 0]] as const) {
    test.match(read(tlv(0x01, Buffer.from('h2')), azureTlv(...bytes), tlv(0x04, Buffer.alloc(3))), { link, client: { address: '10.0.0.4' } }, String(link))
  }
  for (const none of [[], [azureTlv(2, 1, 0, 0, 0)], [azureTlv(0)], [azureTlv(2), azureTlv(3, 1, 1)], [tlv(0xef, Buffer.from([1, 1, 0, 0, 0]))]]) {
    const header = read(...none)
    test.match(header, { client: { address: '10.0.0.4' } })
    test.notOk(Object.hasOwn(header as object, 'link'))
  }
  test.match(read(azureTlv(2, 9), azureTlv(1, 7, 0, 0, 0)), { link: 7 }, 'beside another subtype')
  const id = azureTlv(1, 7, 0, 0, 0)
  for (const bad of [[id, id], [id, azureTlv(1, 8, 0, 0, 0)], [azureTlv(1)], [azureTlv(1, 7, 0, 0)], [azureTlv(1, 7, 0, 0, 0, 0)], [azureTlv()], [id, azureTlv(1)], [id, azureTlv()]]) test.equal(read(...bad), 'invalid')
  test.equal(parseProxyHeader(v2(0x20, 0x11, Buffer.concat([ipv4([10, 0, 0, 4]), id]))) === 'invalid', false, 'a balancer that speaks for itself')
})
