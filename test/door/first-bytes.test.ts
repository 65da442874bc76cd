// What a connection speaks, told from its first bytes, at every length that they may come in.
import { METHODS } from 'node:http'
import t from 'tap'
import { classify, type FirstBytes } from '../../src/door/first-bytes.ts'

const SMB1 = Buffer.from('00000054ff534d4272000000', 'hex')
const SMB2 = Buffer.from('000000eafe534d4240000000', 'hex')
const RDP = Buffer.from('030000130ee000000000000100080003000000', 'hex')
const PROXY_V2 = Buffer.from('0d0a0d0a000d0a515549540a2111000c7f0000017f000001d43120fb', 'hex')
const TLS = Buffer.from('160301020001000100', 'hex')
const SSL2 = Buffer.from('802b0103010012', 'hex')

/** The verdict, and from which length on it stands; before it is `more`. */
const ROWS: [what: string, bytes: Buffer | string, verdict: FirstBytes, from: number][] = [
  ['TLS', TLS, 'tls', 1],
  ['an SSL 2 hello goes to TLS for its alert', SSL2, 'tls', 3],
  ['an SSL 2 hello with three bytes of length', Buffer.from([0x81, 0x00, 0x01]), 'tls', 3],
  ['high bytes that are no SSL 2 hello', Buffer.from([0x80, 0x00, 0x02]), 'other', 3],
  ['GET', 'GET / HTTP/1.1\r\n', 'http', 4],
  ['one letter', 'X / HTTP/1.1\r\n', 'http', 2],
  ['CONNECT', 'CONNECT host:443 HTTP/1.1\r\n', 'http', 8],
  ['MERGE', 'MERGE /T HTTP/1.1\r\n', 'http', 6],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http', 4],
  ['a method in small letters', 'get / HTTP/1.1', 'http', 4],
  ['a method in both', 'Merge / HTTP/1.1', 'http', 6],
  ['PROXY in small letters is no PROXY header', 'proxy TCP4 ', 'http', 6],
  ['M-SEARCH', 'M-SEARCH * HTTP/1.1\r\n', 'http', 9],
  ['a method that begins as PROXY does', 'PROPFIND / HTTP/1.1\r\n', 'http', 9],
  ['a method that begins as SSH does', 'SSHX / HTTP/1.1\r\n', 'http', 5],
  ['SOURCE', 'SOURCE / HTTP/1.1', 'http', 7],
  ['the longest name that may be a method', `${'A'.repeat(23)} /`, 'http', 24],
  ['longer than any method', 'A'.repeat(30), 'other', 24],
  ['a word that is no method', 'HELO:tide', 'other', 5],
  ['digits are in no method', 'A1', 'other', 2],
  ['capitals and then a line', 'QUIT\r\n', 'other', 5],
  ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n', 'ssh', 4],
  ['PROXY version 1', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n', 'proxy-header', 6],
  ['PROXY version 1 with nothing but a blank', 'PROXY ', 'proxy-header', 6],
  ['PROXY version 2', PROXY_V2, 'proxy-header', 12],
  ['CR LF and nothing of PROXY', '\r\n\r\nGET', 'other', 5],
  ['CR alone and something else', '\rX', 'other', 2],
  ['SMB 1', SMB1, 'smb', 8],
  ['SMB 2 and 3', SMB2, 'smb', 8],
  ['a zero byte and no SMB', Buffer.alloc(12), 'other', 8],
  ['an encrypted SMB 3 message before any other', Buffer.from('00000054fd534d4272', 'hex'), 'other', 8],
  ['RDP', RDP, 'rdp', 2],
  ['a 3 that is no TPKT header', Buffer.from([3, 1, 0]), 'other', 2],
  ['a TLS alert', Buffer.from('15030100020228', 'hex'), 'other', 1],
  ['TLS application data', Buffer.from('170303', 'hex'), 'other', 1],
  ['LDAP', Buffer.from('300c0201', 'hex'), 'other', 1],
  ['blank', ' GET /', 'other', 1],
  ['a high byte', Buffer.from([0xff]), 'other', 1],
]

for (const [what, given, verdict, from] of ROWS) {
  void t.test(`${what}: ${verdict}`, async (test) => {
    const bytes = Buffer.from(given as string, 'latin1')
    const got = Array.from(bytes, (_, i) => classify(bytes.subarray(0, i + 1)))
    test.strictSame(got, got.map((_, i) => i + 1 < from ? 'more' : verdict))
  })
}

void t.test('every method that Node knows, and MERGE, is HTTP as soon as its blank is there', async (test) => {
  for (const method of [...METHODS, 'MERGE']) {
    const bytes = Buffer.from(`${method} / HTTP/1.1\r\n\r\n`)
    for (let length = 1; length <= bytes.length; length++) {
      const verdict = classify(bytes.subarray(0, length))
      if (verdict !== (length > method.length ? 'http' : 'more')) test.fail(`${method} at ${length}: ${verdict}`)
    }
    test.pass(method)
  }
})

void t.test('every first byte alone gets a verdict or waits, and waiting ends within 24 bytes', async (test) => {
  for (let first = 0; first < 256; first++) {
    for (const next of [0x00, 0x01, 0x20, 0x41, 0x53, 0xff]) {
      const bytes = Buffer.alloc(24, next)
      bytes[0] = first
      if (classify(bytes) === 'more') test.fail(`still waiting after ${first} ${next}`)
    }
  }
  test.pass('all of them')
})
