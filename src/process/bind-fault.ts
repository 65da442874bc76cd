// What kept a listener from its port, in words, with the key of the configuration that has to change.

/** Returns an error that names the key; `key` is that of the listener, such as `listen.admin`. */
export function bindFault(error: unknown, key: string, host: string, port: number): Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const words = WORDS[code]
  return new Error(words === undefined ? `${key}: ${error instanceof Error ? error.message : 'it cannot be bound'}` : words(key, host, port))
}

type Words = (key: string, host: string, port: number) => string

const WORDS: Readonly<Record<string, Words>> = {
  EADDRINUSE: (key, host, port) => `${key}.port: port ${port} of ${host} is in use by another program`,
  EACCES: (key, host, port) => `${key}.port: permission denied for port ${port} of ${host}; ports below 1024 need the capability CAP_NET_BIND_SERVICE`,
  EADDRNOTAVAIL: (key, host) => `${key}.host: ${host} is not an address of this machine`,
  EAFNOSUPPORT: (key, host) => `${key}.host: this machine does not speak the protocol of ${host}`,
  ENOTFOUND: (key, host) => `${key}.host: ${host} leads to no address`,
  EAI_AGAIN: (key, host) => `${key}.host: the name server did not answer for ${host}`,
}
