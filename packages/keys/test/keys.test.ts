import { describe, expect, test } from 'vitest'
import {
  agree,
  clampPrivateKey,
  constantTimeEqual,
  formatDiscoKey,
  formatMachineKey,
  formatNodeKey,
  formatPrivateKey,
  generatePrivateKey,
  isZeroKey,
  parseDiscoKey,
  parseMachineKey,
  parseNodeKey,
  parsePrivateKey,
  parseTailnetLockKey,
  publicKeyOf,
  shortKey,
} from '../src/index.ts'
import { hex, toHex } from './support.ts'

const all = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

describe('agreement', () => {
  const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')
  const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb')

  test('makes the public keys and the shared secret of RFC 7748 section 6.1', () => {
    const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'
    expect(toHex(publicKeyOf(alice))).toBe('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
    expect(toHex(publicKeyOf(bob))).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
    expect(toHex(agree(alice, publicKeyOf(bob)) ?? all(0))).toBe(shared)
    expect(toHex(agree(bob, publicKeyOf(alice)) ?? all(0))).toBe(shared)
  })

  test.each([
    ['zero', all(0)],
    ['one', hex(`01${'00'.repeat(31)}`)],
    ['a point of order 8', hex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800')],
    ['p', hex(`ed${'ff'.repeat(30)}7f`)],
  ])('refuses to agree with the low-order public key %s', (_, publicKey) => {
    expect(agree(alice, publicKey)).toBeUndefined()
  })

  test('uses the X25519 it is given', () => {
    const seat = { x25519: () => all(7), x25519Public: () => all(9) }
    expect(agree(alice, bob, seat)).toEqual(all(7))
    expect(publicKeyOf(alice, seat)).toEqual(all(9))
  })

  test('generates clamped keys from the random bytes it is given', () => {
    const key = generatePrivateKey((length) => new Uint8Array(length).fill(0xff))
    expect(toHex(key)).toBe(`f8${'ff'.repeat(30)}7f`)
    expect(key).toEqual(clampPrivateKey(key))
    expect(publicKeyOf(all(0xff))).toEqual(publicKeyOf(key))
  })

  test('names the argument that has the wrong size', () => {
    expect(() => publicKeyOf(new Uint8Array(31))).toThrow(
      new RangeError('privateKey: a key is 32 bytes, this is 31'),
    )
    expect(() => agree(alice, new Uint8Array(33))).toThrow(RangeError)
    expect(() => generatePrivateKey(() => new Uint8Array(16))).toThrow(RangeError)
  })
})

describe('text', () => {
  const key = hex('00ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e')
  const digits = '00ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e'

  test.each([
    ['nodekey:', formatNodeKey, parseNodeKey],
    ['discokey:', formatDiscoKey, parseDiscoKey],
    ['mkey:', formatMachineKey, parseMachineKey],
    ['privkey:', formatPrivateKey, parsePrivateKey],
  ])('writes and reads %s', (prefix, format, parse) => {
    expect(format(key)).toBe(prefix + digits)
    expect(parse(prefix + digits)).toEqual(key)
    expect(parse(prefix + digits.toUpperCase())).toEqual(key)
    expect(parse(prefix + digits.slice(1))).toBeUndefined()
    expect(parse(`${prefix}${digits}0`)).toBeUndefined()
    expect(parse(`${prefix}${digits.slice(1)}g`)).toBeUndefined()
    expect(parse(`${prefix}${digits}\n`)).toBeUndefined()
    expect(parse(digits)).toBeUndefined()
    expect(parse(`${prefix.toUpperCase()}${digits}`)).toBeUndefined()
  })

  test('does not read one kind of key as another', () => {
    expect(parseDiscoKey(formatNodeKey(key))).toBeUndefined()
    expect(parseNodeKey(formatPrivateKey(key))).toBeUndefined()
  })

  test('reads a tailnet-lock key in either spelling', () => {
    expect(parseTailnetLockKey(`nlpub:${digits}`)).toEqual(key)
    expect(parseTailnetLockKey(`tlpub:${digits}`)).toEqual(key)
  })

  test('knows the key that means none', () => {
    expect(isZeroKey(all(0))).toBe(true)
    expect(isZeroKey(key)).toBe(false)
  })

  test('shortens a key to five base64 letters', () => {
    expect(shortKey(hex(`6da774d5d774${'00'.repeat(26)}`))).toBe('[bad01]')
  })
})

describe('constant-time compare (threat 2)', () => {
  test('tells equal from different, wherever they differ', () => {
    expect(constantTimeEqual(all(3), all(3))).toBe(true)
    expect(constantTimeEqual(new Uint8Array(0), new Uint8Array(0))).toBe(true)
    expect(constantTimeEqual(all(3), new Uint8Array(31).fill(3))).toBe(false)
    for (let i = 0; i < 32; i++) {
      const other = all(3)
      other[i] = 131
      expect(constantTimeEqual(all(3), other)).toBe(false)
    }
  })
})
