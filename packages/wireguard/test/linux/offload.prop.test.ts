// Segmentation and coalescing against each other: what was joined, cut up again, is what it was.
import { checksum, pseudoHeader, tcpPacket, udpPacket } from './packets.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Coalescer, MAX_PIECES } from '../../src/linux/coalescer.ts'
import { Segmenter } from '../../src/linux/segmenter.ts'
import { ENTRY_RESULT } from '../../src/wasm/layout.ts'
import { loadWasmAead, type WasmAead } from '../../src/wasm/index.ts'

function load(): WasmAead {
  const loaded = loadWasmAead({ packetBytes: 1 << 20 })
  if (loaded.kind === 'missing') throw new Error(loaded.reason)
  return loaded.aead
}

const wasm = load()
const { bytes, packets: base } = wasm.arena
const IN = base
const OUT = base + 70_000

/** Cuts up a packet with its virtio header; `undefined` when it is refused. */
function cut(withHeader: Uint8Array): Uint8Array[] | undefined {
  const segmenter = new Segmenter(wasm)
  bytes.set(withHeader, IN)
  if (!segmenter.read(IN, withHeader.length)) return undefined
  const pieces: Uint8Array[] = []
  let length = 0
  segmenter.emit({
    claim: (n) => {
      length = n
      return OUT
    },
    commit: () => pieces.push(bytes.slice(OUT, OUT + length)),
  })
  return pieces
}

/** Lays packets as datagrams lie, joins what can be joined, and returns what would be written. */
function join(packets: readonly Uint8Array[], peer: (index: number) => number = () => 1): Uint8Array[] {
  const coalescer = new Coalescer(wasm)
  const { table } = wasm.arena
  let at = base + 100_000
  packets.forEach((packet, i) => {
    at += 32
    bytes.set(packet, at)
    table.set(0, at, packet.length, 0, 0, 0)
    new Int32Array(bytes.buffer)[table.address / 4 + ENTRY_RESULT] = packet.length
    if (coalescer.join(0, 1, peer(i)) === 0) coalescer.add(at, packet.length, peer(i))
    at += packet.length
  })
  coalescer.finish()
  return Array.from({ length: coalescer.count }, (_, out) =>
    Buffer.concat(
      Array.from({ length: coalescer.pieces[out] ?? 0 }, (__, piece) => {
        const entry = out * MAX_PIECES + piece
        const from = coalescer.offsets[entry] ?? 0
        return bytes.slice(from, from + (coalescer.lengths[entry] ?? 0))
      }),
    ),
  )
}

const flow = fc.record({
  v6: fc.boolean(),
  options: fc.constantFrom(0, 12),
  size: fc.integer({ min: 8, max: 1400 }),
  count: fc.integer({ min: 1, max: 44 }),
  last: fc.integer({ min: 1, max: 1400 }),
  sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
  psh: fc.boolean(),
})

test('packets of a flow become one super-packet, and that one becomes them again', () => {
  fc.assert(
    fc.property(flow, ({ v6, options, size, count, last, sequence, psh }) => {
      const sizes = [...Array.from({ length: count }, () => size), Math.min(last, size)]
      let next = sequence
      const originals = sizes.map((length, i) => {
        const isLast = i === sizes.length - 1
        const packet = tcpPacket({
          v6,
          options,
          length,
          sequence: next,
          id: i,
          flags: isLast && psh ? 0x18 : 0x10,
        })
        next = (next + length) >>> 0
        return packet
      })
      const joined = join(originals)
      expect(joined.length).toBe(1)
      const pieces = cut(joined[0] ?? new Uint8Array())
      expect(pieces?.map((piece) => Buffer.from(piece).toString('hex'))).toEqual(
        originals.map((packet) => Buffer.from(packet).toString('hex')),
      )
    }),
    { numRuns: 300 },
  )
})

test('whatever is joined, what comes out carries the same payload in the same order', () => {
  const step = fc.record({
    length: fc.constantFrom(0, 100, 100, 100, 57),
    flags: fc.constantFrom(0x10, 0x10, 0x10, 0x18, 0x11, 0x02, 0x30),
    jump: fc.constantFrom(0, 0, 0, 0, 7),
    port: fc.constantFrom(1, 1, 2),
    broken: fc.constantFrom(false, false, false, true),
    window: fc.constantFrom(9, 9, 9, 8),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.boolean(), (steps, v6) => {
      const next = new Map<number, number>()
      const ids = new Map<number, number>()
      const originals = steps.map(({ length, flags, jump, port, broken, window }) => {
        const id = ids.get(port) ?? 0
        ids.set(port, id + 1)
        const sequence = (next.get(port) ?? 0) + jump
        next.set(port, sequence + length)
        const packet = tcpPacket({ v6, options: 0, length, sequence, id, flags, port, window })
        if (broken) packet[packet.length - 1] = (packet.at(-1) ?? 0) ^ 0xff
        return packet
      })
      const pieces = join(originals).flatMap((out) => cut(out) ?? [])
      for (const port of [1, 2]) {
        const at = v6 ? 40 : 20
        const of = (all: readonly Uint8Array[]): string[] =>
          all.filter((packet) => packet[at + 1] === port).map((packet) => Buffer.from(packet).toString('hex'))
        // A push in the middle closes its super-packet, so flags come back as they were, too.
        expect(of(pieces)).toEqual(of(originals))
      }
    }),
    { numRuns: 500 },
  )
})

test('packets of two peers are never joined', () => {
  const originals = [0, 100].map((sequence, id) =>
    tcpPacket({ v6: false, options: 0, length: 100, sequence, id, flags: 0x10 }),
  )
  expect(join(originals, (index) => index).length).toBe(2)
})

test('a UDP super-packet is cut into datagrams with lengths and checksums of their own', () => {
  for (const v6 of [false, true]) {
    const whole = udpPacket({ v6, length: 2_500, gso: 1_000 })
    const pieces = cut(whole) ?? []
    expect(pieces.map((piece) => piece.length)).toEqual([1_000, 1_000, 500].map((n) => n + (v6 ? 48 : 28)))
    for (const piece of pieces) {
      const transport = v6 ? 40 : 20
      expect(new DataView(piece.buffer).getUint16(transport + 4)).toBe(piece.length - transport)
      expect(checksum(Buffer.concat([pseudoHeader(piece, 17), piece.subarray(transport)]))).toBe(0)
      expect(v6 || checksum(piece.subarray(0, 20)) === 0).toBe(true)
    }
  }
})

test('threat 21: headers that lie are refused, or what they make is made of the packet alone; nothing throws', () => {
  const damage = fc.array(fc.tuple(fc.nat(70), fc.integer({ min: 0, max: 255 })), { maxLength: 6 })
  fc.assert(
    fc.property(damage, fc.boolean(), fc.nat(3_000), (changes, v6, shorter) => {
      const whole = udpPacket({ v6, length: 2_500, gso: 1_000 })
      const tcp = join(
        [0, 100, 200].map((sequence, id) =>
          tcpPacket({ v6, options: 12, length: 100, sequence, id, flags: 0x10 }),
        ),
      )
      for (const original of [whole, tcp[0] ?? whole]) {
        const packet = original.slice(0, Math.max(0, original.length - (shorter > 1_500 ? 0 : shorter)))
        for (const [at, value] of changes) if (at < packet.length) packet[at] = value
        bytes.fill(0xee, IN, IN + 70_000)
        const pieces = cut(packet) ?? []
        for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(packet.length)
        const made = pieces.reduce((sum, piece) => sum + piece.length, 0)
        expect(made).toBeLessThanOrEqual((packet.length / 8 + 1) * 120 + packet.length)
        expect(
          bytes.subarray(IN + Math.max(packet.length, 10), IN + 70_000).every((byte) => byte === 0xee),
        ).toBe(true)
      }
    }),
    { numRuns: 1_000 },
  )
})
