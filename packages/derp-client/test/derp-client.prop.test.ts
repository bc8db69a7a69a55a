// A stranger's server: whatever it sends, and however it is cut, the client neither throws nor believes it.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeRecvPacket } from '@mesh/wire/derp'
import { acceptance, ClientBench, greeting } from './support.ts'

test('random bytes never throw', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 }),
      fc.boolean(),
      (chunks, loggedIn) => {
        const bench = new ClientBench()
        bench.client.handleOpened(0)
        if (loggedIn) bench.hear(greeting(), acceptance())
        bench.hear(...chunks)
        bench.advance(200_000)
        expect(bench.client.stats.connects).toBe(loggedIn ? 1 : 0)
      },
    ),
    { numRuns: 100 },
  )
})

test('a damaged ServerInfo is never believed', () => {
  const yes = acceptance()
  fc.assert(
    fc.property(fc.integer({ min: 5, max: yes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bench = new ClientBench()
      bench.client.handleOpened(0)
      const damaged = yes.map((byte, i) => (i === at ? byte ^ flip : byte))
      bench.hear(greeting(), damaged)
      expect(bench.client.connected).toBe(false)
    }),
    { numRuns: 50 },
  )
})

test('packets come out whole and in order, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 })),
      fc.integer({ min: 1, max: 200 }),
      (packets, cut) => {
        const bench = new ClientBench().connect()
        const source = new Uint8Array(32).fill(3)
        const bytes = Uint8Array.from(packets.flatMap((packet) => [...encodeRecvPacket({ source, packet })]))
        const seen: number[][] = []
        for (let at = 0; at < bytes.length; at += cut) {
          bench.hear(bytes.subarray(at, at + cut))
          for (const output of bench.outputs.splice(0))
            if (output.kind === 'packet') seen.push([...output.packet])
        }
        expect(seen).toEqual(packets.map((packet) => [...packet]))
      },
    ),
    { numRuns: 50 },
  )
})
