// The sealed byte stream of the control connection: two ends, bytes cut anywhere between them.
import { createCipheriv } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CipherState, nobleCrypto, RecordTransport } from '../src/index.ts'

const UP = new Uint8Array(32).fill(1)
const DOWN = new Uint8Array(32).fill(2)

interface Ends {
  readonly client: RecordTransport
  readonly server: RecordTransport
}

function connect(counter = 0): Ends {
  const cipher = (key: Uint8Array): CipherState => new CipherState(nobleCrypto, key, 'big-endian', counter)
  return {
    client: new RecordTransport(cipher(UP), cipher(DOWN)),
    server: new RecordTransport(cipher(DOWN), cipher(UP)),
  }
}

function readAll(transport: RecordTransport): Uint8Array[] {
  const out: Uint8Array[] = []
  for (let plain = transport.read(); plain !== undefined; plain = transport.read()) out.push(plain)
  return out
}

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex')

test('control 3: the first records are those of the fact sheet, byte by byte', () => {
  const key = (text: string): CipherState => new CipherState(nobleCrypto, Buffer.from(text, 'hex'))
  const client = new RecordTransport(
    key('08f884d0fecbf1be688623743453f188aaa75198a784f363f50c59ee72cbdae8'),
    key('50cde63ef9e57628665a3dfae504b0883a18e66aa15c0f1df9f8f201165cb67d'),
  )
  const hello = new TextEncoder().encode('hello')
  expect(hex(client.seal(hello))).toBe('0400159c79212d99d3010f4c234eb84acdf0e0b7b204bb18')
  expect(hex(client.seal(hello))).toBe('04001542ea63a111f25542cd9f71cb1f1e180ee9a2d19d40')
  expect(hex(client.seal(hello))).toBe('04001511d1444322e428db12cf22cdca698a90a6d8e53bab')
  client.feed(Buffer.from('0400153827a1a2ef0f2593b1192e2f4fb5eab18887c89344', 'hex'))
  client.feed(Buffer.from('040015aa5e53d1814eaae841ad4f6e5f3d29bf45c7173abe', 'hex'))
  expect(readAll(client).map((plain) => new TextDecoder().decode(plain))).toEqual(['world', 'world'])
})

test.each([
  ['up', UP, (ends: Ends) => [ends.client, ends.server]],
  ['down', DOWN, (ends: Ends) => [ends.server, ends.client]],
] as const)(
  'control 3: record 300 on the way %s has its number big-endian in the nonce, and opens',
  (_, key, way) => {
    const [from, to] = way(connect())
    for (let i = 0; i < 300; i += 1) to?.feed(from?.seal(Uint8Array.of(i & 255)) ?? new Uint8Array(0))
    expect(readAll(to!)).toHaveLength(300)
    const record = from!.seal(Uint8Array.of(1, 2, 3))!
    const nonce = Buffer.from('000000000000000000000000', 'hex')
    nonce.writeBigUInt64BE(300n, 4)
    const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
    const sealed = Buffer.concat([cipher.update(Uint8Array.of(1, 2, 3)), cipher.final(), cipher.getAuthTag()])
    expect(hex(record.subarray(3))).toBe(sealed.toString('hex'))
    to!.feed(record)
    expect(readAll(to!)).toEqual([Uint8Array.of(1, 2, 3)])
  },
)

test('control 4: 4077 bytes are one record, 4078 are two', () => {
  const { client } = connect()
  expect(client.seal(new Uint8Array(4077))).toHaveLength(4096)
  expect(client.seal(new Uint8Array(4078))).toHaveLength(4096 + 20)
  expect(client.seal(new Uint8Array(0))).toHaveLength(0)
})

test('control 4: an empty record is skipped', () => {
  const { client, server } = connect()
  const empty = new CipherState(nobleCrypto, UP).seal(new Uint8Array(0))!
  server.feed(Uint8Array.of(4, 0, 16, ...empty))
  client.seal(Uint8Array.of(9))
  server.feed(client.seal(Uint8Array.of(1, 2))!)
  expect(readAll(server).map((plain) => [...plain])).toEqual([[1, 2]])
})

test.each([
  ['a longer claim than 4093', [4, 0x0f, 0xfe]],
  ['a shorter claim than a tag', [4, 0, 15]],
  ['another type', [3, 0, 16]],
])('control 4: %s breaks the connection at once', (_, header) => {
  const { server } = connect()
  server.feed(Uint8Array.from(header))
  expect(server.read()).toBeUndefined()
  expect(server.broken).toBe(true)
})

test('control 3: a record sealed little-endian opens at counter 0 and breaks the connection at counter 1', () => {
  const { server } = connect()
  const wrong = new RecordTransport(
    new CipherState(nobleCrypto, UP, 'little-endian'),
    new CipherState(nobleCrypto, DOWN),
  )
  server.feed(wrong.seal(Uint8Array.of(1))!)
  expect(readAll(server)).toHaveLength(1)
  server.feed(wrong.seal(Uint8Array.of(2))!)
  expect(readAll(server)).toHaveLength(0)
  expect(server.broken).toBe(true)
})

test('a broken end takes and seals nothing more', () => {
  const { client, server } = connect()
  server.feed(Uint8Array.of(0, 0, 0))
  server.read()
  server.feed(client.seal(Uint8Array.of(1))!)
  expect(server.read()).toBeUndefined()
  const spent = connect(Number.MAX_SAFE_INTEGER)
  expect(spent.client.seal(Uint8Array.of(1))).toBeDefined()
  expect(spent.client.seal(Uint8Array.of(2))).toBeUndefined()
  expect(spent.client.broken).toBe(true)
})

test('what goes in comes out, however it is cut', () => {
  const writes = fc.array(fc.uint8Array({ maxLength: 9000 }), { maxLength: 5 })
  fc.assert(
    fc.property(writes, fc.array(fc.nat(), { maxLength: 20 }), (sent, cuts) => {
      const { client, server } = connect()
      const wire = Uint8Array.from(Buffer.concat(sent.map((part) => client.seal(part)!)))
      const places = [0, ...cuts.map((cut) => cut % (wire.length + 1)).sort((a, b) => a - b), wire.length]
      const got: Uint8Array[] = []
      for (let i = 1; i < places.length; i += 1) {
        server.feed(wire.subarray(places[i - 1], places[i]))
        got.push(...readAll(server))
      }
      expect(Buffer.concat(got).equals(Buffer.concat(sent))).toBe(true)
      expect(got.every((plain) => plain.length > 0)).toBe(true)
    }),
    { numRuns: 30 },
  )
})

test('a flipped bit anywhere is noticed and nothing of the record comes out', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 50 }), fc.nat(), (plain, at) => {
      const { client, server } = connect()
      const wire = client.seal(plain)!
      const bit = at % (wire.length * 8)
      wire[bit >> 3]! ^= 1 << (bit & 7)
      server.feed(wire)
      server.feed(new Uint8Array(5000))
      expect(readAll(server)).toEqual([])
      expect(server.broken).toBe(true)
    }),
  )
})
