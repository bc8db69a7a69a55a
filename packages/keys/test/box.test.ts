import { expect, test } from 'vitest'
import { openBox, precomputeBox, publicKeyOf, sealBox } from '../src/index.ts'
import { hex, toHex } from './support.ts'

const DISCO_A = new Uint8Array(32).fill(0x55)
const DISCO_B = new Uint8Array(32).fill(0x66)
const NONCE = Uint8Array.from({ length: 24 }, (_, i) => i)

function keyOf(privateKey: Uint8Array, publicKey: Uint8Array): NonNullable<ReturnType<typeof precomputeBox>> {
  const key = precomputeBox(privateKey, publicKey)
  if (key === undefined) throw new Error('no key')
  return key
}

test('makes the disco keys and their shared key of data-plane.md appendix A.3', () => {
  expect(toHex(publicKeyOf(DISCO_A))).toBe('38ab664bd86f77d7e66bdd9ae0792913a94fd8b33a1260027e4b46c1f4884c67')
  expect(toHex(publicKeyOf(DISCO_B))).toBe('219e4d800da968d2a5fcb009c784f4746c7138edb9ee4844b739e830b05cf424')
  const shared = 'b6ef1ad8e5f6be50ef861f19399ec05ec370ff39763d6ef2847a52495aad9bb4'
  expect(toHex(keyOf(DISCO_A, publicKeyOf(DISCO_B)))).toBe(shared)
  expect(toHex(keyOf(DISCO_B, publicKeyOf(DISCO_A)))).toBe(shared)
})

test('seals the ping of appendix A.3, tag first', () => {
  const inner = hex(`0100 000102030405060708090a0b ${toHex(publicKeyOf(new Uint8Array(32).fill(0x11)))}`)
  const sealed = sealBox(keyOf(DISCO_A, publicKeyOf(DISCO_B)), NONCE, inner)
  expect(toHex(sealed)).toBe(
    'c2aee56b73676ea04c8df0f21a20b766' + // tag
      '71167a120f6557f295bdce00c88298b6d4c8605f1b51fdc1dc84c45f95b4f92c4a43a996f990b11efc5ea8d75da6',
  )
  expect(openBox(keyOf(DISCO_B, publicKeyOf(DISCO_A)), NONCE, sealed)).toEqual(inner)
})

test('opens the pong and the DERP client info of appendix A.3', () => {
  const pong = hex(
    '64b0e1124a1a71ba573f7b41338c3c0772167a120f6557f295bdce00c882e3f84453de20e51539a4815b0c22843db8dd',
  )
  const opened = openBox(keyOf(DISCO_A, publicKeyOf(DISCO_B)), NONCE, pong)
  expect(toHex(opened ?? NONCE)).toBe('0200000102030405060708090a0b00000000000000000000ffffcb007107a2a9')
  const info = hex(
    'a51c9377aeedee6222f778a86b5ced60df12ae45bf8dfe8b00f0636a0451c4dcc06890ced2b260c5e00e9d14d4303293',
  )
  const server = new Uint8Array(32).fill(0x77)
  const json = openBox(keyOf(server, publicKeyOf(new Uint8Array(32).fill(0x11))), NONCE, info)
  expect(new TextDecoder().decode(json)).toBe('{"version":2,"CanAckPings":true}')
})

test('opens nothing that was changed, cut, or sealed for others', () => {
  const key = keyOf(DISCO_A, publicKeyOf(DISCO_B))
  const sealed = sealBox(key, NONCE, Uint8Array.of(1, 2, 3))
  for (let i = 0; i < sealed.length; i++) {
    const changed = Uint8Array.from(sealed)
    changed[i] = (changed[i] ?? 0) ^ 1
    expect(openBox(key, NONCE, changed)).toBeUndefined()
    expect(openBox(key, NONCE, sealed.subarray(0, i))).toBeUndefined()
  }
  expect(openBox(keyOf(DISCO_A, publicKeyOf(DISCO_A)), NONCE, sealed)).toBeUndefined()
  expect(openBox(key, NONCE.subarray(1), sealed)).toBeUndefined()
})

test('carries an empty message', () => {
  const key = keyOf(DISCO_A, publicKeyOf(DISCO_B))
  const sealed = sealBox(key, NONCE, new Uint8Array(0))
  expect(sealed.length).toBe(16)
  expect(openBox(key, NONCE, sealed)).toEqual(new Uint8Array(0))
})

test('makes no key with a low-order public key', () => {
  expect(precomputeBox(DISCO_A, new Uint8Array(32))).toBeUndefined()
})

test('refuses a nonce of the wrong size from its caller', () => {
  const key = keyOf(DISCO_A, publicKeyOf(DISCO_B))
  expect(() => sealBox(key, new Uint8Array(12), NONCE)).toThrow(RangeError)
})
