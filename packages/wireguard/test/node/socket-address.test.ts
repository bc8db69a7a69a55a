import { expect, test } from 'vitest'
import { decodeSocketAddress, encodeSocketAddress, endpointKey } from '../../src/node/socket-address.ts'

const LINK_LOCAL = Uint8Array.from({ length: 16 }, (_, i) => [0xfe, 0x80][i] ?? i)

test('a socket address is what it was made of', () => {
  for (const endpoint of [
    { address: Uint8Array.of(192, 0, 2, 1), port: 51_820 },
    { address: LINK_LOCAL, port: 1 },
    { address: LINK_LOCAL, port: 65_535, scope: 70_000 },
  ]) {
    const bytes = encodeSocketAddress(endpoint)
    expect(decodeSocketAddress(bytes, bytes.length)).toEqual(endpoint)
    expect(decodeSocketAddress(bytes, bytes.length - 1)).toBeUndefined()
  }
})

test('the same link-local address on two interfaces is two places', () => {
  const keys = [undefined, 1, 2].map((scope) =>
    endpointKey({ address: LINK_LOCAL, port: 1, ...(scope === undefined ? {} : { scope }) }),
  )
  expect(new Set(keys).size).toBe(3)
})
