// Socket addresses as the kernel lays them out: struct sockaddr_in and sockaddr_in6, in memory of ours.
import { AF_INET, AF_INET6 } from '@mesh/linux'
import type { UnderlayEndpoint } from '../underlay-endpoint.ts'

/** Bytes of the longer one. */
export const MAX_SOCKET_ADDRESS = 28
const LENGTH_V4 = 16
const PORT = 2
const ADDRESS_V4 = 4
const ADDRESS_V6 = 8
const SCOPE = 24

/** Returns the bytes of an endpoint's socket address: 16 for IPv4, 28 for IPv6. */
export function encodeSocketAddress({ address, port, scope = 0 }: UnderlayEndpoint): Uint8Array {
  const isV4 = address.length === 4
  const bytes = new Uint8Array(isV4 ? LENGTH_V4 : MAX_SOCKET_ADDRESS)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, isV4 ? AF_INET : AF_INET6, true)
  view.setUint16(PORT, port)
  bytes.set(address, isV4 ? ADDRESS_V4 : ADDRESS_V6)
  if (!isV4) view.setUint32(SCOPE, scope, true)
  return bytes
}

/** Reads a socket address, or returns `undefined` for another family. The address is a copy. */
export function decodeSocketAddress(bytes: Uint8Array, length: number): UnderlayEndpoint | undefined {
  const family = (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8)
  const port = ((bytes[PORT] ?? 0) << 8) | (bytes[PORT + 1] ?? 0)
  if (family === AF_INET && length >= LENGTH_V4) {
    return { address: bytes.slice(ADDRESS_V4, ADDRESS_V4 + 4), port }
  }
  if (family === AF_INET6 && length >= MAX_SOCKET_ADDRESS) {
    const scope = new DataView(bytes.buffer, bytes.byteOffset).getUint32(SCOPE, true)
    const address = bytes.slice(ADDRESS_V6, ADDRESS_V6 + 16)
    return scope === 0 ? { address, port } : { address, port, scope }
  }
  return undefined
}

/** Returns a text that is the same for the same endpoint, scope and own address included. */
export function endpointKey({ address, port, scope = 0, local }: UnderlayEndpoint): string {
  return `${address.join('.')} ${port} ${scope} ${local?.join('.') ?? ''}`
}
