import { expect, test } from 'vitest'
import { encodeSocketAddress } from '../../src/node/socket-address.ts'
import { SourceNames } from '../../src/node/source-names.ts'

const v4 = (host: number, port = 7) => ({ address: Uint8Array.of(192, 0, host >> 8, host & 255), port })
const v6 = (host: number) => ({
  address: new Uint8Array(16).with(14, host >> 8).with(15, host & 255),
  port: 7,
})

test('every address has the number of its endpoint, wherever it lies, and however many take turns', () => {
  const names = new SourceNames()
  const endpoints = Array.from({ length: 1_000 }, (_, host) => [v4(host), v4(1, host + 8), v6(host)]).flat()
  for (let round = 0; round < 3; round += 1) {
    for (const endpoint of endpoints) {
      const name = encodeSocketAddress(endpoint)
      const bytes = Uint8Array.of(...new Uint8Array(round).fill(9), ...name, 9, 9)
      const number = names.numberAt(bytes, round, name.length)
      expect(names.endpointOf(number)).toEqual(endpoint)
      expect(names.numberOf(endpoint)).toBe(number)
    }
  }
})

test('one whose number has become another’s gets a new one', () => {
  const names = new SourceNames()
  const name = encodeSocketAddress(v4(1))
  const old = names.numberAt(name, 0, name.length)
  for (let host = 2; host < 5_000; host += 1) names.numberOf(v4(host))
  const number = names.numberAt(name, 0, name.length)
  expect(number).not.toBe(old)
  expect(names.endpointOf(number)).toEqual(v4(1))
})

test('what is no socket address has no number, also where one was before', () => {
  const names = new SourceNames()
  const name = encodeSocketAddress(v6(1))
  names.numberAt(name, 0, name.length)
  expect(names.numberAt(name, 0, 0)).toBe(-1)
  expect(names.numberAt(name, 0, 16)).toBe(-1)
  expect(names.numberAt(Uint8Array.of(...name, 0), 0, 29)).toBe(-1)
  expect(names.numberAt(new Uint8Array(16), 0, 16)).toBe(-1)
})

test('the same address is another source where it spoke to another address of ours', () => {
  const names = new SourceNames()
  const locals = [undefined, Uint8Array.of(192, 0, 2, 1), Uint8Array.of(192, 0, 2, 2), new Uint8Array(16)]
  for (let round = 0; round < 2; round += 1) {
    const numbers = locals.map((local = new Uint8Array(0)) => {
      const name = encodeSocketAddress(v4(1))
      const bytes = Uint8Array.of(...name, ...local)
      const number = names.numberAt(bytes, 0, name.length, name.length, local.length)
      expect(names.endpointOf(number)).toEqual(local.length === 0 ? v4(1) : { ...v4(1), local })
      return number
    })
    expect(numbers).toEqual([0, 1, 2, 3])
  }
})
