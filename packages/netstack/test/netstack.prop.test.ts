import { encodeIcmpEcho, encodeTcpPacket, encodeUdpPacket, TCP_SYN } from '@mesh/wire/ip'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { A4, A6, B4, B6, packetsFrom, stackOf } from './support.ts'

const data = Uint8Array.from({ length: 40 }, (_, index) => index)
const echo = { kind: 'request', identifier: 1, sequence: 2, data } as const
const SEEDS = [
  encodeIcmpEcho(A4, B4, echo),
  encodeIcmpEcho(A6, B6, echo),
  encodeUdpPacket({ address: A4, port: 1 }, { address: B4, port: 2 }, data),
  encodeUdpPacket({ address: A6, port: 1 }, { address: B6, port: 2 }, data),
  encodeTcpPacket(
    { address: A4, port: 1 },
    { address: B4, port: 2 },
    { sequence: 1, acknowledgment: 0, flags: TCP_SYN, window: 9 },
  ),
]

test('damaged and random packets never throw, and earn at most one answer, no longer than themselves by much', () => {
  const damage = fc.array(fc.record({ at: fc.nat(), bit: fc.nat(7) }), { maxLength: 4 })
  const packet = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    fc
      .record({ seed: fc.nat(SEEDS.length - 1), damage, cut: fc.nat(120) })
      .map(({ seed, damage: flips, cut }) => {
        const bytes = (SEEDS[seed] ?? data).slice()
        for (const { at, bit } of flips)
          bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ (1 << bit)
        return bytes.subarray(0, cut > 100 ? bytes.length : cut)
      }),
  )
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 20 }), (packets) => {
      const stack = stackOf(B4, B6)
      for (const bytes of packets) {
        stack.handlePacket(bytes, 0)
        const answers = packetsFrom(stack)
        expect(answers.length).toBeLessThanOrEqual(1)
        for (const answer of answers) expect(answer.length).toBeLessThanOrEqual(bytes.length + 48)
      }
    }),
  )
})

test('what one stack sends by UDP another receives unchanged', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_232 }), fc.boolean(), (payload, v6) => {
      const [left, right] = [stackOf(A4, A6), stackOf(B4, B6)]
      right.bindUdp({ port: 5_000 })
      left.sendUdp(left.bindUdp().socket, { address: v6 ? B6 : B4, port: 5_000 }, payload, 0)
      for (const packet of packetsFrom(left)) right.handlePacket(packet, 0)
      const output = right.poll()
      expect(output?.kind === 'datagram' && output.payload).toEqual(payload)
    }),
  )
})
