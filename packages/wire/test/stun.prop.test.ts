import { crc32 as zlibCrc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeBindingRequest,
  decodeBindingResponse,
  encodeBindingRequest,
  encodeBindingResponse,
  isStun,
} from '../src/stun/index.ts'
import { crc32 } from '../src/stun/crc32.ts'
import { bytes, endpoint, survives } from './support.ts'

test('requests and responses come back as they were written and claim the length they have', () => {
  fc.assert(
    fc.property(bytes(12), endpoint, (txId, observed) => {
      const request = encodeBindingRequest(txId)
      const response = encodeBindingResponse(txId, observed)
      expect(decodeBindingRequest(request)).toEqual({ txId })
      expect(decodeBindingResponse(response)).toEqual({ txId, observed })
      expect(request.length).toBe(40)
      expect(response.length).toBe(observed.address.length === 4 ? 32 : 44)
      for (const message of [request, response])
        expect((message[2]! << 8) + message[3]! + 20).toBe(message.length)
    }),
  )
})

test('damaged messages never throw', () => {
  const good = fc.oneof(
    bytes(12).map(encodeBindingRequest),
    fc.tuple(bytes(12), endpoint).map(([txId, observed]) => encodeBindingResponse(txId, observed)),
  )
  for (const decode of [isStun, decodeBindingRequest, decodeBindingResponse])
    expect(survives(good, decode)).toBe(true)
})

test('the CRC is the one of zlib', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (data) => {
      expect(crc32(data)).toBe(zlibCrc32(data))
    }),
  )
})
