import { describe, expect, test } from 'vitest'
import {
  type ControlSession,
  CipherState,
  controlAccept,
  controlInitiate,
  nobleCrypto,
} from '../src/index.ts'
import { toHex } from './support.ts'

const all = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const hello = new TextEncoder().encode('hello')
const world = new TextEncoder().encode('world')

/** The vector of control-protocol.md 2.3: every key is one byte repeated. */
function channel(
  version = 145,
  serverVersion = version,
): { machine: ControlSession; server: ControlSession } | undefined {
  const machine = controlInitiate({
    version,
    random: () => all(0x11),
    machinePrivate: all(0x22),
    controlPublic: nobleCrypto.x25519Public(all(0x44)),
  })
  if (machine === undefined) throw new Error('no initiation')
  const options = { version: serverVersion, random: () => all(0x33), controlPrivate: all(0x44) }
  const server = controlAccept(options, machine.message)
  if (server === undefined) return undefined
  expect(toHex(server.machineKey)).toBe('0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20')
  const session = machine.readResponse(server.message)
  if (session === undefined) throw new Error('response refused')
  return { machine: session, server: server.session }
}

describe('the control handshake', () => {
  test('control 2: reproduces the vector of control-protocol.md 2.3 byte for byte', () => {
    const initiation = controlInitiate({
      version: 145,
      random: () => all(0x11),
      machinePrivate: all(0x22),
      controlPublic: nobleCrypto.x25519Public(all(0x44)),
    })
    expect(toHex(initiation?.message ?? hello)).toBe(
      '7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f1399b043e7b583a167d9be715032da9e' +
        '2927b7e2c9a753dcf4c93208099e873892649c51311edda9d6ea0dfcbad8274c46528d822032a2286b96af6cee64cb763b',
    )
    const answer = controlAccept(
      { version: 145, random: () => all(0x33), controlPrivate: all(0x44) },
      initiation?.message ?? hello,
    )
    expect(toHex(answer?.message ?? hello)).toBe(
      '7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b145fa0650c99034c80742fb89cf64f6932',
    )
    const hash = 'c6e6a30d9d87a3518323c6ecda588ee6b5a3822624eff0f45916b880cf72c83a'
    expect(toHex(answer?.session.handshakeHash ?? hello)).toBe(hash)
    expect(toHex(channel()?.machine.handshakeHash ?? hello)).toBe(hash)
  })

  test('seals records with a big-endian counter', () => {
    const { machine, server } = channel() ?? {}
    const sent = [0, 1, 2].map(() => toHex(machine?.send.seal(hello) ?? hello))
    expect(sent).toEqual([
      '9c79212d99d3010f4c234eb84acdf0e0b7b204bb18',
      '42ea63a111f25542cd9f71cb1f1e180ee9a2d19d40',
      '11d1444322e428db12cf22cdca698a90a6d8e53bab',
    ])
    const back = [0, 1].map(() => toHex(server?.send.seal(world) ?? world))
    expect(back).toEqual([
      '3827a1a2ef0f2593b1192e2f4fb5eab18887c89344',
      'aa5e53d1814eaae841ad4f6e5f3d29bf45c7173abe',
    ])
  })

  test('fails when the two sides mean different versions', () => {
    expect(channel(145, 144)).toBeUndefined()
  })

  test('refuses messages of any other length', () => {
    const options = { version: 145, random: () => all(0x33), controlPrivate: all(0x44) }
    for (const length of [0, 1, 95, 97, 112])
      expect(controlAccept(options, new Uint8Array(length))).toBeUndefined()
  })

  test('refuses a server that does not hold the key we know it by (threat 30)', () => {
    const machine = controlInitiate({
      version: 145,
      random: () => all(0x11),
      machinePrivate: all(0x22),
      controlPublic: nobleCrypto.x25519Public(all(0x45)),
    })
    const options = { version: 145, random: () => all(0x33), controlPrivate: all(0x44) }
    expect(controlAccept(options, machine?.message ?? hello)).toBeUndefined()
    expect(machine?.readResponse(new Uint8Array(48))).toBeUndefined()
  })
})

describe('a cipher state', () => {
  const pair = (counter = 0): [CipherState, CipherState] => [
    new CipherState(nobleCrypto, all(7), 'big-endian', counter),
    new CipherState(nobleCrypto, all(7), 'big-endian', counter),
  ]
  const must = (bytes: Uint8Array | undefined): Uint8Array => {
    if (bytes === undefined) throw new Error('nothing sealed')
    return bytes
  }

  test('opens records in order, empty ones too', () => {
    const [send, receive] = pair()
    for (const record of [hello, new Uint8Array(0), world])
      expect(receive.open(must(send.seal(record)))).toEqual(record)
    expect(receive.counter).toBe(3)
  })

  test('is dead after a record that does not open, even when the right one follows', () => {
    const [send, receive] = pair()
    const first = must(send.seal(hello))
    expect(receive.open(must(send.seal(world)))).toBeUndefined()
    expect(receive.broken).toBe(true)
    expect(receive.open(first)).toBeUndefined()
  })

  test('never reuses a nonce: it ends at its last counter (threat 17)', () => {
    const [send, receive] = pair(Number.MAX_SAFE_INTEGER)
    expect(receive.open(must(send.seal(hello)))).toEqual(hello)
    expect(send.seal(hello)).toBeUndefined()
    expect(send.broken).toBe(true)
  })

  test('counts on past 2^32 (threat 22)', () => {
    const [send, receive] = pair(0xffff_ffff)
    const sealed = [send.seal(hello), send.seal(hello), send.seal(hello)].map(must)
    expect(new Set(sealed.map(toHex)).size).toBe(3)
    for (const record of sealed) expect(receive.open(record)).toEqual(hello)
    const at32 = new CipherState(nobleCrypto, all(7), 'big-endian', 0x1_0000_0000)
    expect(at32.open(must(sealed[1]))).toEqual(hello)
  })
})
