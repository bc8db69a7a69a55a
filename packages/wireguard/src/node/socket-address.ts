// Socket addresses as the kernel lays them out: struct sockaddr_in and sockaddr_in6, in memory of ours.
import { AF_INET, AF_INET6 } from '@mesh/linux'
import type { Endpoint } from '@mesh/wire/ip'

/** Bytes of the longer one. */
export const MAX_SOCKET_ADDRESS = 28
const LENGTH_V4 = 16
const PORT = 2
const ADDRESS_V4 = 4
const ADDRESS_V6 = 8

/** Returns the bytes of an endpoint's socket address: 16 for IPv4, 28 for IPv6. */
export function encodeSocketAddress({ address, port }: Endpoint): Uint8Array {
  const isV4 = address.length === 4
  const bytes = new Uint8Array(isV4 ? LENGTH_V4 : MAX_SOCKET_ADDRESS)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, isV4 ? AF_INET : AF_INET6, true)
  view.setUint16(PORT, port)
  bytes.set(address, isV4 ? ADDRESS_V4 : ADDRESS_V6)
  return bytes
}

/** Reads a socket address, or returns `undefined` for another family. The address is a copy. */
export function decodeSocketAddress(bytes: Uint8Array, length: number): Endpoint | undefined {
  const family = (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8)
  const port = ((bytes[PORT] ?? 0) << 8) | (bytes[PORT + 1] ?? 0)
  if (family === AF_INET && length >= LENGTH_V4) {
    return { address: bytes.slice(ADDRESS_V4, ADDRESS_V4 + 4), port }
  }
  if (family === AF_INET6 && length >= MAX_SOCKET_ADDRESS) {
    return { address: bytes.slice(ADDRESS_V6, ADDRESS_V6 + 16), port }
  }
  return undefined
}
