import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Side, Wire } from './support.ts'

/** What happens next: somebody sends, time passes, the network gets worse or better, an end restarts. */
type Step =
  | { readonly do: 'send'; readonly from: 'a' | 'b'; readonly size: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'network'; readonly lossPercent: number; readonly delay: number }
  | { readonly do: 'replay'; readonly back: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('send'),
      from: fc.constantFrom('a', 'b'),
      size: fc.integer({ min: 28, max: 1_280 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('wait'),
      ms: fc.oneof(fc.nat(200), fc.nat(20_000), fc.nat(200_000)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('network'),
      lossPercent: fc.constantFrom(0, 0, 30, 100),
      delay: fc.nat(5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('replay'), back: fc.nat(30) }) },
) as fc.Arbitrary<Step>

/** A wire that loses, holds back and repeats, by a generator of its own so that a failing run runs again. */
class BadWire {
  readonly wire = new Wire()
  #lossPercent = 0
  #delay = 0
  #dice: number
  readonly #late: { to: Side; bytes: Uint8Array; turns: number }[] = []

  constructor(seed: number) {
    this.#dice = seed
    this.wire.passes = (sent) => {
      if (this.#roll(100) < this.#lossPercent) return false
      if (this.#delay === 0) return true
      const to = sent.from === this.wire.a ? this.wire.b : this.wire.a
      this.#late.push({ to, bytes: sent.bytes, turns: this.#roll(this.#delay + 1) })
      return false
    }
  }

  become(lossPercent: number, delay: number): void {
    this.#lossPercent = lossPercent
    this.#delay = delay
  }

  replay(back: number): void {
    const sent = this.wire.log.at(-1 - back)
    if (sent === undefined) return
    const to = sent.from === this.wire.a ? this.wire.b : this.wire.a
    to.device.handleDatagram(sent.bytes, 9, this.wire.now)
    this.wire.settle()
  }

  turn(): void {
    for (const one of this.#late.splice(0)) {
      if (one.turns > 0) this.#late.push({ ...one, turns: one.turns - 1 })
      else one.to.device.handleDatagram(one.bytes, 8, this.wire.now)
    }
    this.wire.settle()
  }

  heal(): void {
    this.become(0, 0)
    for (let i = 0; i < 10; i += 1) this.turn()
  }

  #roll(sides: number): number {
    this.#dice = (Math.imul(this.#dice, 1_664_525) + 1_013_904_223) >>> 0
    return (this.#dice >>> 8) % sides
  }
}

/** Bytes 22 to 25 of a packet carry its number. */
const numberOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(22)

describe('two devices over a network that loses, holds back, reorders and repeats', () => {
  test('deliver no packet twice and none they were not sent, and talk again once it is well', {
    timeout: 60_000,
  }, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, seed) => {
        const bad = new BadWire(seed)
        const { wire } = bad
        let count = 0
        const send = (from: 'a' | 'b', size: number): void => {
          const bytes = numbered(from, size, count)
          count += 1
          wire[from].device.handlePacket(bytes, wire.now)
          wire.settle()
        }
        for (const next of steps) {
          if (next.do === 'send') send(next.from, next.size)
          else if (next.do === 'wait') wire.advance(next.ms)
          else if (next.do === 'network') bad.become(next.lossPercent, next.delay)
          else bad.replay(next.back)
          bad.turn()
        }
        bad.heal()
        const healthy = count
        for (let i = 0; i < 4; i += 1) {
          wire.advance(10_000)
          send('a', 100)
          send('b', 100)
        }
        const gotA = wire.a.received.map(numberOf)
        const gotB = wire.b.received.map(numberOf)
        for (const got of [gotA, gotB]) expect(new Set(got).size).toBe(got.length)
        expect([...gotA, ...gotB].every((number) => number < count)).toBe(true)
        expect(gotB).toContain(healthy + 6)
        expect(gotA).toContain(healthy + 7)
      }),
      { numRuns: 60 },
    )
  })
})

function numbered(from: 'a' | 'b', size: number, number: number): Uint8Array {
  const [source, destination] = from === 'a' ? [1, 2] : [2, 1]
  const bytes = new Uint8Array(size)
  bytes.set([
    0x45,
    0,
    size >> 8,
    size & 255,
    0,
    0,
    0,
    0,
    64,
    253,
    0,
    0,
    100,
    64,
    0,
    source,
    100,
    64,
    0,
    destination,
  ])
  new DataView(bytes.buffer).setUint32(22, number)
  return bytes
}
