// Which addresses a `via` lets through, and a look-up that hands on no other.
import t from 'tap'
import { insideOf, lookUpInside, NotPrivate, type LookUpAll } from '../../src/network/via.ts'

void t.test('private: RFC 1918 and fc00::/7, to the last address', async (test) => {
  const inside = insideOf('private')
  const yes = ['10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255', 'fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '::ffff:10.1.2.3']
  const no = [
    '9.255.255.255', '11.0.0.0', '172.15.255.255', '172.32.0.0', '192.167.255.255', '192.169.0.0', 'fbff::1', 'fe00::', 'fe80::1', 'fe80::1%eth0', '127.0.0.1', '::1', '0.0.0.0', '::',
    '169.254.169.254', '168.63.129.16', '100.64.0.1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '64:ff9b::a00:1', '2001:db8::1', '', 'storage.example', '10.1', '010.0.0.1',
  ]
  for (const address of yes) test.ok(inside(address), address)
  for (const address of no) test.notOk(inside(address), address)
})

void t.test('ranges: exactly those, single addresses too', async (test) => {
  const inside = insideOf(['10.1.0.0/24', '192.0.2.7', '2001:db8::/32', '127.0.0.0/8'])
  for (const address of ['10.1.0.0', '10.1.0.255', '192.0.2.7', '2001:db8:ffff::1', '127.0.0.1', '::ffff:10.1.0.9']) test.ok(inside(address), address)
  for (const address of ['10.1.1.0', '10.0.255.255', '192.0.2.8', '2001:db9::', '::1']) test.notOk(inside(address), address)
})

const answering = (...addresses: string[]): LookUpAll => (_host, _options, done) => done(null, addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })))

void t.test('a look-up hands on the addresses inside, in their order, in the form that was asked for', async (test) => {
  const look = lookUpInside(insideOf('private'), answering('192.0.2.1', '10.0.0.2', '::1', 'fd00::3'))
  look('far.example', { all: true }, (error, addresses) => test.strictSame([error, addresses], [null, [{ address: '10.0.0.2', family: 4 }, { address: 'fd00::3', family: 6 }]]))
  look('far.example', {}, (error, address, family) => test.strictSame([error, address, family], [null, '10.0.0.2', 4]))
})

void t.test('none inside is an error that names what was found, and so is no address at all', async (test) => {
  for (const all of [true, false]) {
    lookUpInside(insideOf('private'), answering('192.0.2.1', '2001:db8::1'))('far.example', { all }, (error) => {
      test.ok(error instanceof NotPrivate)
      test.match(error, { code: 'NOT_PRIVATE', address: '192.0.2.1, 2001:db8::1' })
    })
  }
  lookUpInside(insideOf('private'), answering())('far.example', { all: true }, (error) => test.match(error, { code: 'NOT_PRIVATE', address: '' }))
})

void t.test('what the resolver says of a failure is handed on', async (test) => {
  const failing = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
  lookUpInside(insideOf('private'), (_host, _options, done) => done(failing, []))('far.example', { all: true }, (error) => test.equal(error, failing))
})
