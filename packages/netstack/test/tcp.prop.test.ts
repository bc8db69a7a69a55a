import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '@mesh/sansio'
import { A4, at, B4, stackOf } from './support.ts'
import { World } from './tcp-world.ts'

const PORT = at('100.64.0.2:80')

function chanceFrom(seed: number): () => number {
  const random = seededRandom(seed)
  return () => new DataView(random(4).buffer).getUint32(0) / 2 ** 32
}

test('whatever a wire loses, doubles and reorders, both streams arrive whole and in order, and both sides end', () => {
  const faults = fc.record({
    loss: fc.double({ min: 0, max: 0.2, noNaN: true }),
    doubling: fc.double({ min: 0, max: 0.2, noNaN: true }),
    delay: fc.integer({ min: 0, max: 100 }),
    jitter: fc.integer({ min: 0, max: 100 }),
  })
  const sizes = fc.record({
    out: fc.integer({ min: 0, max: 60_000 }),
    back: fc.integer({ min: 0, max: 60_000 }),
  })
  fc.assert(
    fc.property(faults, sizes, fc.integer(), (wire, { out, back }, seed) => {
      const [client, server] = [stackOf(A4), stackOf(B4)]
      server.listenTcp({ port: 80 })
      const world = new World(client, server, wire, chanceFrom(seed))
      const [request, answer] = [stream(out, seed), stream(back, seed + 1)]
      world.client.connect(PORT, 0)
      world.client.send(request, 0)
      world.run(20_000)
      world.server.send(answer, world.now)
      world.client.end(world.now)
      world.run(3_600_000)
      expect(world.server.received).toEqual([...request])
      expect(world.client.received).toEqual([...answer])
      expect([world.client.closed, world.server.closed]).toEqual(['done', 'done'])
    }),
    { numRuns: 40 },
  )
}, 30_000)

test('random segments at a listener and an open connection never throw', () => {
  const field = fc.oneof(fc.nat(255), fc.constantFrom(0, 2, 16, 18, 255))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 20, max: 59 }), field), { maxLength: 12 }),
      fc.integer(),
      (edits, seed) => {
        const [client, server] = [stackOf(A4), stackOf(B4)]
        server.listenTcp({ port: 80 })
        const world = new World(client, server, {}, chanceFrom(seed))
        let forgeries = 0
        world.filter = (packet, from) => {
          if ((forgeries += 1) > 100) return true
          const forged = packet.slice()
          for (const [offset, value] of edits) if (offset < forged.length) forged[offset] = value
          fixChecksum(forged)
          ;(from === client ? server : client).handlePacket(forged, world.now)
          return true
        }
        world.client.connect(PORT, 0)
        world.client.send(stream(3_000, seed), 0)
        world.run(5_000)
        expect(world.sent).toBeLessThan(1_000)
      },
    ),
    { numRuns: 200 },
  )
})

function stream(length: number, seed: number): Uint8Array {
  return seededRandom(seed)(length)
}

/** Makes the TCP checksum right again, so that the damage is looked at. */
function fixChecksum(packet: Uint8Array): void {
  packet[36] = packet[37] = 0
  let sum = 6 + packet.length - 20
  for (let index = 12; index < packet.length; index += 2) {
    sum += ((packet[index] ?? 0) << 8) | (packet[index + 1] ?? 0)
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  packet[36] = (~sum >>> 8) & 0xff
  packet[37] = ~sum & 0xff
}
