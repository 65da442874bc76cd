// What to do about a refusal, in a line or two: docs/refusals.md in short, and where in it the rest stands. A test holds
// that every reason which this version gives is here.
import type { Reason } from '../../refusal.ts'

const OLD_CLIENT = 'Update the client or the system below it; no setting lets it in. The log line says what it offered.'
const MALFORMED_SAS = 'Tell whoever makes these tokens. The log names the parameter, never its value.'

export const ADVICE: Readonly<Partial<Record<Reason, string>>> = {
  'plaintext-http': 'Find the office by its range, correct http:// there, and rotate the key or token it used: it was on the wire in clear.',
  'plaintext-other': 'A client on the wrong port, or a scan. “Plaintext by protocol” says which.',
  'hello-timeout': 'Harmless in ones and twos. Many from one range: a broken device, a balancer’s idle checks, or an attack.',
  'proxy-header-missing': 'Switch the PROXY protocol on at that balancer, or take it off listen.proxyProtocol.from.',
  'proxy-header-invalid': 'Look at the balancer; two in a row that each add a header are the usual cause.',
  'proxy-header-untrusted': 'If the sender is a balancer of yours, add it to listen.proxyProtocol.from. If not, somebody tries.',
  'too-many-connections': 'See who holds them: many from one range is a client’s pool or an attack. Raise limits.connections only with memory for it.',
  'too-many-handshakes': 'A burst after an outage passes. If it stays, clients open a connection for each request.',
  'tls-version': OLD_CLIENT,
  'tls-no-shared-suite': 'Old client, or the key kind of our certificate does not fit it: offer an RSA and an ECDSA certificate side by side.',
  'tls-no-shared-group': OLD_CLIENT,
  'tls-malformed': 'Rarely a real client. Look for something on the way that changes or cuts traffic; from everywhere it is scanning.',
  'tls-timeout': 'One range alone: that office’s line. All at once: is this machine out of cpu?',
  'tls-aborted': 'Right after a change of certificate the new one is not right: chain, names, authority. Else clients that do not trust our authority.',
  'client-cert-missing': 'Give the client its certificate and key.',
  'client-cert-untrusted': 'An unknown authority, or the client sends no intermediate. The log has the code.',
  'client-cert-expired': 'Renew it. All offices at once: an authority in tls.clients.ca has expired, or our clock is wrong.',
  'client-cert-revoked': 'It is on a revocation list. For all clients at once: the list itself has expired; put a fresh one in its place.',
  'client-cert-purpose': 'The authority’s template lacks clientAuth.',
  'client-cert-weak': 'The client needs a new key: P-256, or RSA with 2048 bits or more.',
  'host-unknown': 'Compare the host in the log with “Routes” in /status; the account may lack that service in the configuration.',
  'host-not-sni': 'A proxy in the office rewrites Host, or TLS is inspected on the way.',
  'http-malformed': 'Something on the way that edits requests is likelier than the client.',
  'target-ambiguous': 'The client must encode the path. The log says which rule it broke.',
  'path-unknown': 'Compare the path in the log with the API’s prefix in the configuration.',
  'loop': 'The upstream’s name leads back here: set connect on that endpoint.',
  'headers-too-large': 'A query over 8 KiB, or more than limits.requestHeaders or limits.headerFields.',
  'headers-timeout': 'Many at once from few ranges is an attempt to hold connections.',
  'body-too-slow': 'One range alone: that office’s line.',
  'method-refused': 'From the internet: a scan, for open proxies or for TRACE.',
  'expectation-failed': 'Nothing to do here; the client asks for what no service gives.',
  'client-not-allowed': 'Its certificate is not in allow for that name, or it showed none. The log has its names.',
  'sas-malformed': MALFORMED_SAS,
  'sas-duplicate': 'Tell whoever makes these tokens. With a good signature it can be an attempt.',
  'sas-mixed': MALFORMED_SAS,
  'sas-protocol-value': MALFORMED_SAS,
  'sas-version': 'The issuer must use a newer service version.',
  'sas-no-key': 'Give the account its keys here. A user delegation key must have been fetched through the gateway, or be configured.',
  'sas-signature': 'One client: its token. A whole account: its key was rotated; put the new key first in keys.',
  'sas-not-yet': 'Many clients at once: check this machine’s clock.',
  'sas-expired': 'Many clients at once: check this machine’s clock, then whatever hands out tokens.',
  'sas-source-ip': 'If the client in the log is a balancer or NAT, configure listen.proxyProtocol.',
  'sas-resource': 'The token is for something else than what was asked for.',
  'sas-lifetime': 'Ask whoever makes the token for a shorter life or a stored access policy; mode: report shows how many would be refused.',
  'sas-denied': 'A client still uses a token that was revoked here. Find it by its address, and revoke the token at the storage account too.',
  'copy-source-plaintext': 'The client must name its copy source by https.',
  'copy-source-unknown': 'Add the source’s account to storage.accounts, or set storage.copySources to any-https.',
  'batch-malformed': 'The client’s batch could be read in more than one way. The log says why.',
  'shared-key-signature': 'The account’s key was rotated, or the client’s clock is off. Put the new key first in keys.',
  'draining': 'A few at each restart are normal. Many: give balancers time with drain.announce.',
  'overloaded': 'The log names the client: too many requests behind one another on one connection.',
  'upstream-unreachable': 'DNS, network, or the service is down: see “Upstreams”, and try it from this machine.',
  'upstream-certificate': 'The service’s certificate changed, or the ca of its endpoint is old. Never go round the check.',
  'upstream-reset': 'Single ones are normal. In numbers: the service crashes, or something in between cuts.',
  'upstream-not-private': 'The upstream’s name led to an address outside of its via: as a rule private DNS is broken. The log line has the address.',
  'upstream-timeout': 'The service is slow: see its first byte under “Upstreams”.',
  'unexpected': 'A bug of the gateway: report it with the log line “unexpected” of the same request.',
}

/** Where the whole section of a reason stands. */
export function sectionOf(reason: string): string {
  return `docs/refusals.md#${reason}`
}
