// Which addresses count as one client.
import t from 'tap'
import { countedAddress } from '../src/client-address.ts'

void t.test('an IPv4 address is itself, an IPv6 address its /64, in any spelling', async (test) => {
  for (const [address, counted] of [
    ['192.0.2.1', '192.0.2.1'], ['::ffff:192.0.2.1', '192.0.2.1'], ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'], ['::FFFF:192.0.2.1', '192.0.2.1'], ['', ''],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'], ['2001:DB8:1:2::', '2001:db8:1:2::/64'], ['2001:0db8:0001:0002:ffff::1', '2001:db8:1:2::/64'], ['2001:db8::1', '2001:db8:0:0::/64'], ['2001:db8::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'], ['::', '0:0:0:0::/64'], ['fe80::1%eth0', 'fe80:0:0:0::/64'], ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'], ['2001:db8:1:2:3:4:192.0.2.1', '2001:db8:1:2::/64'], ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
  ] as const) test.equal(countedAddress(address), counted, address)
})
