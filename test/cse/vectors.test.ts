// Every vector of the specification, in both directions (spec/client-side-encryption.md 8.1), and mutations of them: any
// bit flipped, region cut, moved or repeated, field of the envelope changed, is noticed.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseEnvelope, rewrapEnvelope, writeEnvelope } from '../../src/cse/envelope.ts'
import { bytesToWrap, contentKeyIn } from '../../src/cse/content-key.ts'
import { parseKekFile, type Kek } from '../../src/cse/kek.ts'
import { KeyRing } from '../../src/cse/key-ring.ts'
import { keyOf, openRecord, sealRecord } from '../../src/cse/length-record.ts'
import { findMessage, messageEnvelope, openMessage, sealMessage } from '../../src/cse/message.ts'
import { Opener, Sealer, plainLength, storedLength } from '../../src/cse/regions.ts'
import { Refusal } from '../../src/refusal.ts'

const FOLDER = join(import.meta.dirname, '../vectors/cse-vectors')
const MAX_REGION = 67_108_864

interface BlobVector {
  readonly id: string
  readonly version: string
  readonly expect?: string
  readonly code?: string
  readonly kekId: string
  readonly plaintext?: { readonly seed: string; readonly size: number; readonly sha256: string }
  readonly encryptiondata: string
  readonly unwrappedKeyHex?: string
  readonly stored: { readonly size: number; readonly sha256: string; readonly file?: string }
}

interface MessageVector {
  readonly id: string
  readonly version?: string
  readonly expect?: string
  readonly code?: string
  readonly text?: string
  readonly codec?: string
  readonly messageText: string
}

const read = (name: string, list = 'vectors'): readonly unknown[] => (JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Record<string, readonly unknown[]>)[list] ?? []
const KEYS = readFileSync(join(FOLDER, 'keks.jwks.json'))
const kek = (kid: string): Kek => {
  const found = parseKekFile(KEYS, kid)
  if (typeof found === 'string') throw new Error(found)
  return found
}
const RING = new KeyRing(['local:kek-2026-a', 'local:kek-2026-b', 'local:rsa-2026-a'].map(kek), 'local:kek-2026-a')

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

function plaintext(seed: string, size: number): Buffer {
  const pieces: Buffer[] = []
  for (let j = 0; j * 32 < size; j++) pieces.push(createHash('sha256').update(`${seed}:${j}`).digest())
  return Buffer.concat(pieces).subarray(0, size)
}

function seal(key: Buffer, plain: Buffer, regionLength: number, step = 65_536): Buffer {
  const sealer = new Sealer(key, regionLength)
  const out: Buffer[] = []
  for (let at = 0; at < plain.length; at += step) out.push(...sealer.update(plain.subarray(at, at + step)))
  return Buffer.concat([...out, ...sealer.end()])
}

function open(key: Buffer, stored: Buffer, regionLength: number, step = 65_536): Buffer {
  const length = plainLength(stored.length, regionLength)
  if (length === undefined) throw new Refusal('cse-unreadable', {}, {}, undefined, 'CseTampered')
  const opener = new Opener(key, { first: 0, stored: stored.length, regionLength })
  const out: Buffer[] = []
  for (let at = 0; at < stored.length; at += step) opener.update(stored.subarray(at, at + step), (plain) => out.push(...plain))
  if (!opener.done) throw new Error('not done')
  return Buffer.concat(out)
}

const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work()
    return 'passed'
  } catch (error) {
    return error instanceof Refusal ? error.code ?? error.reason : String(error)
  }
}

async function decrypt(vector: BlobVector, stored: Buffer, step?: number): Promise<Buffer> {
  const envelope = parseEnvelope(vector.encryptiondata, MAX_REGION)
  return open(await RING.open(envelope), stored, envelope.regionLength, step)
}

const storedOf = (vector: BlobVector): Buffer | undefined => vector.stored.file === undefined ? undefined : readFileSync(join(FOLDER, vector.stored.file))

void t.test('blobs of the SDK', async (test) => {
  for (const vector of read('blobs.json') as readonly BlobVector[]) {
    if (vector.version === '1.0') {
      test.equal(await codeOf(() => parseEnvelope(vector.encryptiondata, MAX_REGION)), 'CseUnsupportedProtocol', vector.id)
      continue
    }
    await sdkBlob(test, vector)
  }
})

async function sdkBlob(test: Test, vector: BlobVector): Promise<void> {
  const { seed, size } = vector.plaintext ?? { seed: '', size: 0 }
  const plain = plaintext(seed, size)
  const envelope = parseEnvelope(vector.encryptiondata, MAX_REGION)
  const key = await RING.open(envelope)
  test.equal(bytesToWrap(key).toString('hex'), vector.unwrappedKeyHex, `${vector.id}: the key`)
  const sealed = seal(key, plain, envelope.regionLength, 1_000_003)
  test.equal(sha256(sealed), vector.stored.sha256, `${vector.id}: sealed again`)
  test.equal(storedLength(size, envelope.regionLength), vector.stored.size)
  test.equal(plainLength(vector.stored.size, envelope.regionLength), size)
  test.ok(open(key, storedOf(vector) ?? sealed, envelope.regionLength).equals(plain), `${vector.id}: opened`)
}

void t.test('crafted blobs', async (test) => {
  for (const vector of read('crafted.json') as readonly BlobVector[]) {
    const stored = storedOf(vector) ?? Buffer.alloc(0)
    if (vector.expect === 'refuse') {
      test.equal(await codeOf(() => decrypt(vector, stored)), vector.code, vector.id)
      test.equal(await codeOf(() => decrypt(vector, stored, 1)), vector.code, `${vector.id}, byte by byte`)
      continue
    }
    const { seed, size } = vector.plaintext ?? { seed: '', size: 0 }
    const plain = plaintext(seed, size)
    const expected = vector.expect === 'plaintext' ? plain : plain.subarray(0, 192)
    test.ok((await decrypt(vector, stored)).equals(expected), vector.id)
    test.ok((await decrypt(vector, stored, 1)).equals(expected), `${vector.id}, byte by byte`)
  }
})

void t.test('length records', async (test) => {
  interface Record { readonly cekHex: string; readonly nonceHex: string; readonly recordText: string; readonly derivedKeyHex: string; readonly metadataValue: string }
  for (const vector of read('length-record.json') as readonly Record[]) {
    const key = Buffer.from(vector.cekHex, 'hex')
    const { len, md5 } = JSON.parse(vector.recordText) as { len: number; md5?: string }
    test.equal(keyOf(key).toString('hex'), vector.derivedKeyHex)
    test.equal(sealRecord(key, { length: len, md5 }, Buffer.from(vector.nonceHex, 'hex')), vector.metadataValue)
    test.strictSame(openRecord(key, vector.metadataValue), { length: len, md5 })
    for (let at = 2; at < vector.metadataValue.length - 1; at += 7) {
      const changed = `${vector.metadataValue.slice(0, at)}${vector.metadataValue[at] === 'A' ? 'B' : 'A'}${vector.metadataValue.slice(at + 1)}`
      test.equal(await codeOf(() => openRecord(key, changed)), 'CseTampered', `character ${at}`)
    }
    test.equal(await codeOf(() => openRecord(Buffer.alloc(32), vector.metadataValue)), 'CseTampered')
    test.equal(await codeOf(() => openRecord(key, '1.')), 'CseTampered')
  }
})

async function openedMessage(text: string): Promise<string | undefined> {
  const found = findMessage(text)
  return found === undefined ? undefined : openMessage(found, await RING.open(messageEnvelope(found, MAX_REGION)))
}

void t.test('messages of the SDK', async (test) => {
  for (const vector of read('queues.json', 'messages') as readonly MessageVector[]) {
    if (vector.version === '1.0') {
      test.equal(await codeOf(() => openedMessage(vector.messageText)), 'CseUnsupportedProtocol', vector.id)
      continue
    }
    const plain = vector.codec === 'none' ? vector.text : Buffer.from(vector.text ?? '').toString('base64')
    test.equal(await openedMessage(vector.messageText), plain, vector.id)
  }
})

void t.test('crafted messages', async (test) => {
  for (const vector of read('queues.json', 'crafted') as readonly MessageVector[]) {
    if (vector.expect === 'plaintext') test.equal(await openedMessage(vector.messageText), vector.text, vector.id)
    else if (vector.expect === 'clear') test.equal(findMessage(vector.messageText), undefined, vector.id)
    else test.equal(await codeOf(() => openedMessage(vector.messageText)), vector.code, vector.id)
  }
})

void t.test('a message that we write is read again', async (test) => {
  const key = Buffer.alloc(32, 7)
  const text = 'Grüße — 東京 <&>"'
  const sealed = sealMessage(text, key, await RING.wrap(key), Buffer.alloc(12, 3))
  test.equal(await openedMessage(sealed), text)
  test.equal(await openedMessage(Buffer.from(sealed).toString('base64')), text)
  test.notMatch(sealed, /EncryptionMode/)
})

void t.test('an envelope that we write is read again, with each kind of key', async (test) => {
  for (const kid of ['local:kek-2026-a', 'local:rsa-2026-a']) {
    const ring = new KeyRing([kek(kid)], kid)
    const key = Buffer.alloc(32, 9)
    const written = writeEnvelope(await ring.wrap(key))
    test.match(written, /^[\x20-\x7e]+$/)
    test.ok((await ring.open(parseEnvelope(written, MAX_REGION))).equals(key), kid)
    const again = rewrapEnvelope(written, await RING.wrap(key))
    test.equal(parseEnvelope(again, MAX_REGION).keyId, 'local:kek-2026-a')
    test.ok((await RING.open(parseEnvelope(again, MAX_REGION))).equals(key))
  }
  test.match(writeEnvelope({ keyId: 'ключ', wrappedKey: Buffer.alloc(48), algorithm: 'A256KW' }), /"KeyId": "\\u043a/)
})

void t.test('any flipped bit is noticed', async (test) => {
  const key = Buffer.alloc(32, 5)
  const stored = seal(key, plaintext('flip', 200), 64)
  let noticed = 0
  for (let bit = 0; bit < stored.length * 8; bit += 3) {
    const changed = Buffer.from(stored)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    if (await codeOf(() => open(key, changed, 64)) === 'CseTampered') noticed++
  }
  test.equal(noticed, Math.ceil((stored.length * 8) / 3))
})

void t.test('regions that are cut, moved or repeated are noticed', async (test) => {
  const key = Buffer.alloc(32, 5)
  const stored = seal(key, plaintext('move', 64 * 4), 64)
  const at = (i: number): Buffer => stored.subarray(i * 92, (i + 1) * 92)
  const orders = [[1, 0, 2, 3], [0, 1, 1, 3], [1, 2, 3], [0, 2, 3], [0, 1, 3, 2], [3]]
  for (const order of orders) test.equal(await codeOf(() => open(key, Buffer.concat(order.map(at)), 64)), 'CseTampered', order.join())
  for (const length of [1, 12, 28, 29, 91, 93, 120, 183]) test.equal(await codeOf(() => open(key, stored.subarray(0, length), 64)), 'CseTampered', `${length} bytes`)
})

void t.test('no byte of a region leaves before its tag is checked', (test) => {
  const key = Buffer.alloc(32, 5)
  const stored = seal(key, plaintext('leave', 200), 64)
  stored[92 + 91] = (stored[92 + 91] ?? 0) ^ 1
  let given = 0
  const opener = new Opener(key, { first: 0, stored: stored.length, regionLength: 64 })
  test.throws(() => {
    for (const byte of stored) opener.update(Buffer.from([byte]), (_, length) => (given += length))
  })
  test.equal(given, 64)
  test.end()
})

const set = (section: string, name: string, value: unknown) => (copy: Record<string, Record<string, unknown>>): void => void ((copy[section] ??= {})[name] = value)

void t.test('fields of the envelope that are changed or missing', async (test) => {
  const [vector] = (read('crafted.json') as readonly BlobVector[]).filter(({ id }) => id === 'crafted-v20-python-dl64')
  const stored = vector === undefined ? undefined : storedOf(vector)
  if (vector === undefined || stored === undefined) throw new Error('no vector')
  const whole = JSON.parse(vector.encryptiondata) as Record<string, Record<string, unknown>>
  const outcome = (change: (copy: Record<string, Record<string, unknown>>) => void): Promise<string> => {
    const copy = structuredClone(whole)
    change(copy)
    return codeOf(() => decrypt({ ...vector, encryptiondata: JSON.stringify(copy) }, stored))
  }
  test.equal(await outcome(() => undefined), 'passed')
  const expected: readonly (readonly [string, string, unknown, string])[] = [
    ['EncryptionAgent', 'Protocol', '1.0', 'CseUnsupportedProtocol'], ['EncryptionAgent', 'Protocol', '2.1', 'CseTampered'], ['EncryptionAgent', 'Protocol', '2.00', 'CseUnsupportedProtocol'],
    ['EncryptionAgent', 'Protocol', 2, 'CseBadMetadata'], ['EncryptionAgent', 'EncryptionAlgorithm', 'AES_CBC_256', 'CseUnsupportedProtocol'],
    ['EncryptedRegionInfo', 'DataLength', 15, 'CseBadMetadata'], ['EncryptedRegionInfo', 'DataLength', 64.5, 'CseBadMetadata'], ['EncryptedRegionInfo', 'DataLength', '64', 'CseBadMetadata'],
    ['EncryptedRegionInfo', 'DataLength', MAX_REGION + 1, 'CseBadMetadata'], ['EncryptedRegionInfo', 'DataLength', 65, 'CseTampered'], ['EncryptedRegionInfo', 'NonceLength', 16, 'CseBadMetadata'],
    ['WrappedContentKey', 'KeyId', 'local:other', 'CseUnknownKey'], ['WrappedContentKey', 'KeyId', 'local:kek-2026-b', 'CseUnwrapFailed'], ['WrappedContentKey', 'KeyId', undefined, 'CseBadMetadata'],
    ['WrappedContentKey', 'Algorithm', 'RSA-OAEP', 'CseUnwrapFailed'], ['WrappedContentKey', 'Algorithm', 'RSA1_5', 'CseUnwrapFailed'],
    ['WrappedContentKey', 'EncryptedKey', 'kQas', 'CseUnwrapFailed'], ['WrappedContentKey', 'EncryptedKey', 'k!as', 'CseBadMetadata'], ['WrappedContentKey', 'EncryptedKey', 'kQasAA', 'CseBadMetadata'],
  ]
  for (const [section, name, value, code] of expected) test.equal(await outcome(set(section, name, value)), code, `${section}.${name} ${String(value)}`)
  for (const text of ['', '{', '[]', 'null', '7', '"x"', '{}']) test.equal(await codeOf(() => parseEnvelope(text, MAX_REGION)), 'CseBadMetadata', text)
  test.equal(await codeOf(() => contentKeyIn(Buffer.alloc(32), '2.0')), 'CseTampered')
})
