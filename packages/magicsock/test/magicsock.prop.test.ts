// Whatever strangers send: nothing throws, and nobody is sent more than he sent.
import fc from 'fast-check'
import { formatEndpoint } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { betterAddr, type Path } from '../src/path.ts'
import { at, sealed, twoPublicNodes } from './support.ts'

const TX_ID = new Uint8Array(12)

const damage = fc.record({
  cut: fc.nat(200),
  flips: fc.array(fc.record({ at: fc.nat(200), bits: fc.integer({ min: 1, max: 255 }) }), { maxLength: 3 }),
})

test('random bytes, by UDP or relay, never throw and are never answered (threat 21)', () => {
  const { a, b } = twoPublicNodes()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, byRelay) => {
      const before = b.log.length
      if (byRelay) b.receiveRelayed(1, a.nodeKey, bytes)
      else b.receive(bytes, at('192.0.2.9:9'))
      expect(b.log.length).toBe(before)
    }),
  )
})

test('threat 32: disco cut and flipped never throws, and no answer is larger than the question', () => {
  const { a, b } = twoPublicNodes()
  const messages = [
    sealed(a, b, { kind: 'ping', txId: TX_ID, nodeKey: a.nodeKey }),
    sealed(a, b, { kind: 'ping', txId: TX_ID }),
    sealed(a, b, { kind: 'pong', txId: TX_ID, source: at('192.0.2.9:9') }),
    sealed(a, b, { kind: 'call-me-maybe', endpoints: [at('192.0.2.9:9')] }),
  ]
  fc.assert(
    fc.property(fc.constantFrom(...messages), damage, fc.nat(60_000), (message, { cut, flips }, port) => {
      const bytes = message.slice(0, Math.max(0, message.length - (cut < 100 ? 0 : cut - 100)))
      for (const flip of flips) if (flip.at < bytes.length) bytes[flip.at]! ^= flip.bits
      const from = at(`192.0.2.9:${port + 1}`)
      b.outputs.length = 0
      b.receive(bytes, from)
      let answered = 0
      for (const output of b.outputs) {
        if (output.kind !== 'datagram') continue
        expect(formatEndpoint(output.to)).toBe(formatEndpoint(from))
        answered += output.bytes.length
      }
      expect(answered).toBeLessThanOrEqual(bytes.length)
    }),
  )
})

test('D9: betterAddr never prefers each of two paths to the other', () => {
  const path: fc.Arbitrary<Path> = fc.record(
    {
      endpoint: fc.constantFrom(
        ...[
          '127.0.0.1:1',
          '10.0.0.1:1',
          '169.254.0.1:1',
          '203.0.113.1:1',
          '[2001:db8::1]:1',
          '[fd00::1]:1',
        ].map(at),
      ),
      latency: fc.double({ min: 0, max: 1_000, noNaN: true }),
      mtu: fc.constantFrom(1_360, 1_500),
      vni: fc.constant(7),
    },
    { requiredKeys: ['endpoint', 'latency', 'mtu'] },
  )
  fc.assert(
    fc.property(path, path, (a, b) => {
      expect(betterAddr(a, b) && betterAddr(b, a)).toBe(false)
    }),
  )
})

test('D3: under any loss and at any time, a send with a relay at hand sends something', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ wait: fc.nat(20_000), blocked: fc.boolean() }), { maxLength: 12 }),
      (steps) => {
        const { world, a } = twoPublicNodes()
        let blocked = false
        world.isLost = () => blocked
        for (const step of steps) {
          blocked = step.blocked
          expect(a.send(2)).not.toBe(0)
          world.clock.advanceBy(step.wait)
          expect(world.clock.nextTimer()).toBeGreaterThanOrEqual(world.clock.now())
        }
      },
    ),
    { numRuns: 30 },
  )
})
