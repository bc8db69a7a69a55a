import { expect, test } from 'vitest'
import { formatEndpoint, parseAddress, parseEndpoint } from '../src/ip/index.ts'
import {
  decodeBindingRequest,
  decodeBindingResponse,
  encodeBindingRequest,
  encodeBindingResponse,
  isStun,
} from '../src/stun/index.ts'
import { counting, hex, toHex, vectors } from './support.ts'

const known = vectors.stun
const txId = hex(known.txId)

test('S18: the request of appendix A.2 is written byte for byte and accepted', () => {
  expect(toHex(encodeBindingRequest(txId))).toBe(known.request)
  expect(decodeBindingRequest(hex(known.request))).toEqual({ txId })
  expect(isStun(hex(known.request))).toBe(true)
})

test('S18: the responses of appendix A.2 are written byte for byte and read', () => {
  for (const [response, endpoint] of [
    [known.responseIpv4, known.endpointIpv4],
    [known.responseIpv6, known.endpointIpv6],
  ] as const) {
    expect(toHex(encodeBindingResponse(txId, parseEndpoint(endpoint)!))).toBe(response)
    const read = decodeBindingResponse(hex(response))!
    expect([formatEndpoint(read.observed), read.txId]).toEqual([endpoint, txId])
  }
})

test('S18: an IPv4 client seen through an IPv6 socket is answered as family 1', () => {
  const mapped = hex('00000000000000000000ffff cb007107')
  expect(toHex(encodeBindingResponse(txId, { address: mapped, port: 41_641 }))).toBe(known.responseIpv4)
})

test('S18: a request without the software name, or with a wrong fingerprint, or with anything after it, is ignored', () => {
  const wrongCrc = hex(known.request)
  wrongCrc[39]! ^= 1
  expect(decodeBindingRequest(wrongCrc)).toBeUndefined()
  const otherName = hex(known.request)
  otherName[24] = 0x54
  expect(decodeBindingRequest(otherName)).toBeUndefined()
  const bare = hex('0001 0000 2112a442 000102030405060708090a0b')
  expect(decodeBindingRequest(bare)).toBeUndefined()
  const fingerprintNotLast = hex(`${known.request} 80220000`)
  fingerprintNotLast[3] = 24
  expect(decodeBindingRequest(fingerprintNotLast)).toBeUndefined()
  expect(decodeBindingRequest(hex(known.responseIpv4))).toBeUndefined()
})

const header = (length: string): string => `0101 ${length} 2112a442 000102030405060708090a0b`

test('a plain mapped address is read when there is no masked one, and padding is stepped over', () => {
  const plain = hex(`${header('0014')}
    8022 0003 61626300        // SOFTWARE of 3 bytes, padded to 4
    0001 0008 0001 1234 c0000201 // MAPPED-ADDRESS 192.0.2.1:4660`)
  expect(formatEndpoint(decodeBindingResponse(plain)!.observed)).toBe('192.0.2.1:4660')
})

test('the masked address counts before the plain one, also under its old number', () => {
  const both = hex(`${header('0018')}
    0001 0008 0001 1234 c0000201
    8020 0008 0001 83bb ea12d545`)
  expect(formatEndpoint(decodeBindingResponse(both)!.observed)).toBe(known.endpointIpv4)
})

test('bytes beyond the declared length are ignored', () => {
  expect(decodeBindingResponse(hex(`${known.responseIpv4} ffff`))).toBeDefined()
})

test('other families, other messages and claims beyond the datagram are no response', () => {
  expect(decodeBindingResponse(hex(`${header('000c')} 0020 0008 0003 83bb ea12d545`))).toBeUndefined()
  expect(decodeBindingResponse(hex(`${header('000c')} 0020 0008 0002 83bb ea12d545`))).toBeUndefined()
  expect(decodeBindingResponse(hex(`${header('0010')} 0020 0008 0001 83bb ea12d545`))).toBeUndefined()
  expect(decodeBindingResponse(hex(`${header('000c')} 0020 0009 0001 83bb ea12d545`))).toBeUndefined()
  expect(decodeBindingResponse(hex(known.responseIpv4.replace('0101', '0111')))).toBeUndefined()
  expect(decodeBindingResponse(hex(known.request))).toBeUndefined()
})

test('WireGuard and disco are not STUN', () => {
  for (const other of [vectors.wireguard.initiation, vectors.wireguard.data, vectors.disco.ping]) {
    expect(isStun(hex(other))).toBe(false)
  }
  expect(isStun(hex(known.request).subarray(0, 19))).toBe(false)
})

test('wrong lengths are refused by name', () => {
  expect(() => encodeBindingRequest(counting(11))).toThrow('txId')
  expect(() => encodeBindingResponse(counting(16), { address: parseAddress('1.2.3.4')!, port: 1 })).toThrow(
    'txId',
  )
  expect(() => encodeBindingResponse(txId, { address: counting(5), port: 1 })).toThrow('address')
})
