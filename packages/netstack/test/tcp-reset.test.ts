import { decodeIpPacket, decodeTcp, encodeTcpPacket, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { at, B4, packetsFrom, stackOf } from './support.ts'

const from = at('100.64.0.1:40000')
const to = at('100.64.0.2:80')

function answerTo(flags: number, payload = new Uint8Array(0)) {
  const stack = stackOf(B4)
  const segment = { sequence: 0xffff_ffff, acknowledgment: 700, flags, window: 1 }
  stack.handlePacket(encodeTcpPacket(from, to, segment, payload), 0)
  const [reset] = packetsFrom(stack)
  return reset && decodeTcp(decodeIpPacket(reset)?.payload ?? new Uint8Array(0))
}

test('a SYN to a closed port is reset, its sequence number acknowledged across the wrap', () => {
  expect(answerTo(TCP_SYN)).toMatchObject({
    sourcePort: 80,
    destinationPort: 40_000,
    flags: TCP_RST | TCP_ACK,
    sequence: 0,
    acknowledgment: 0,
  })
})

test('data and FIN without an ACK are counted into the acknowledgment', () => {
  expect(answerTo(TCP_FIN, new Uint8Array(10))).toMatchObject({
    flags: TCP_RST | TCP_ACK,
    acknowledgment: 10,
  })
})

test('a segment with an ACK is reset with the number it acknowledges', () => {
  expect(answerTo(TCP_ACK)).toMatchObject({ flags: TCP_RST, sequence: 700 })
})

test('a reset is not answered', () => {
  expect(answerTo(TCP_RST)).toBeUndefined()
})
