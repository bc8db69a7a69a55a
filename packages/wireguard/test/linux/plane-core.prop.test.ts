// Two cores back to back, and somebody hostile on the wire between them.
import { checksumsOk, correctChecksum, decodeIpPacket, parsePrefix, type Prefix } from '@mesh/wire/ip'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Coalescer, MAX_PIECES } from '../../src/linux/coalescer.ts'
import { ACCEPT, CHANGED, type PacketJudge } from '../../src/linux/packet-judge.ts'
import { CORE_PACKET_BYTES, PlaneCore } from '../../src/linux/plane-core.ts'
import { Segmenter } from '../../src/linux/segmenter.ts'
import type { Trains } from '../../src/linux/trains.ts'
import { loadWasmAead, type WasmAead } from '../../src/wasm/index.ts'
import { tcpPacket, udpPacket } from './packets.ts'

interface Train {
  readonly bytes: Uint8Array
  readonly segment: number
}

/** A core, and what came out of it, as bytes. */
class Side {
  readonly core: PlaneCore
  readonly trains: Train[] = []
  readonly packets: string[] = []
  /** How many packets and super-packets these were written as. */
  written = 0
  readonly #wasm: WasmAead

  constructor(send: number, receive: number) {
    const loaded = loadWasmAead({ packetBytes: CORE_PACKET_BYTES + (1 << 17) })
    if (loaded.kind === 'missing') throw new Error(loaded.reason)
    this.#wasm = loaded.aead
    this.core = new PlaneCore(
      loaded.aead,
      {
        toOverlay: (packets) => this.#takePackets(packets),
        toUnderlay: (trains) => this.#takeTrains(trains),
        onPacket: () => undefined,
        onDatagram: () => undefined,
        onActivity: () => undefined,
        onSource: () => undefined,
        onSessionEnd: () => undefined,
      },
      { mtu: 1420, coalesce: true },
    )
    const all = prefixes('0.0.0.0/0', '::/0')
    this.core.setRoutes([{ peer: 1, routes: all, allowedIps: all }])
    const [sendKey, receiveKey] = [new Uint8Array(32).fill(send), new Uint8Array(32).fill(receive)]
    const session = { localIndex: receive, remoteIndex: send, sendKey, receiveKey, createdAt: 0 }
    this.core.setSession(1, { ...session, initiator: true }, 0)
    this.trains.length = 0
  }

  /** Sends a packet with its virtio header, as a TUN would hand it over. */
  send(input: Uint8Array): void {
    this.#wasm.arena.bytes.set(input, this.core.overlayAt)
    this.core.takeOverlay(input.length, 0)
  }

  receive({ bytes, segment }: Train): void {
    this.#wasm.arena.bytes.set(bytes, this.core.underlayAt)
    this.core.takeUnderlay(bytes.length, segment, 1, 0)
    this.core.flush()
  }

  #takeTrains(trains: Trains): void {
    for (let i = 0; i < trains.count; i += 1) {
      const at = trains.offsets[i] ?? 0
      const bytes = this.#wasm.arena.bytes.slice(at, at + (trains.bytes[i] ?? 0))
      this.trains.push({ bytes, segment: trains.segments[i] ?? 0 })
    }
  }

  /** What a kernel would make of what is written. */
  #takePackets({ count, pieces, offsets, lengths }: Coalescer): void {
    const { bytes } = this.#wasm.arena
    const free = this.core.spareAt
    this.written += count
    for (let out = 0; out < count; out += 1) {
      let length = 0
      for (let piece = 0; piece < (pieces[out] ?? 0); piece += 1) {
        const entry = out * MAX_PIECES + piece
        const from = offsets[entry] ?? 0
        bytes.copyWithin(free + length, from, from + (lengths[entry] ?? 0))
        length += lengths[entry] ?? 0
      }
      this.#cut(free, length)
    }
  }

  #cut(at: number, length: number): void {
    const segmenter = new Segmenter(this.#wasm)
    const into = at + 66_000
    let claimed = 0
    if (!segmenter.read(at, length)) throw new Error('a super-packet whose headers lie')
    segmenter.emit({
      claim: (n) => {
        claimed = n
        return into
      },
      commit: () => this.packets.push(hex(this.#wasm.arena.bytes.slice(into, into + claimed))),
    })
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function prefixes(...texts: readonly string[]): Prefix[] {
  return texts.flatMap((text) => parsePrefix(text) ?? [])
}

function withHeader(packet: Uint8Array): Uint8Array {
  const whole = new Uint8Array(10 + packet.length)
  whole.set(packet, 10)
  return whole
}

/** Some traffic, and what must come out of it at the far end when nobody disturbs. */
function traffic(shape: readonly { v6: boolean; size: number; count: number; udp: boolean }[]): {
  inputs: Uint8Array[]
  packets: string[]
} {
  const inputs: Uint8Array[] = []
  shape.forEach(({ v6, size, count, udp }, flow) => {
    if (udp) return inputs.push(udpPacket({ v6, length: size * count, gso: size, port: flow }))
    for (let i = 0; i < count; i += 1) {
      const sequence = flow * 100_000 + i * size
      inputs.push(
        withHeader(tcpPacket({ v6, options: 12, length: size, sequence, id: i, flags: 0x10, port: flow })),
      )
    }
    return undefined
  })
  const undisturbed = new Side(1, 2)
  const segmenter = new Side(2, 1)
  for (const input of inputs) undisturbed.send(input)
  undisturbed.core.flush()
  for (const train of undisturbed.trains) segmenter.receive(train)
  return { inputs, packets: segmenter.packets }
}

const flows = fc.array(
  fc.record({
    v6: fc.boolean(),
    size: fc.integer({ min: 8, max: 1300 }),
    count: fc.integer({ min: 1, max: 20 }),
    udp: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
)

test('what goes in at one end comes out at the other: all of it, once, in order within a flow', () => {
  fc.assert(
    fc.property(flows, (shape) => {
      const { packets } = traffic(shape)
      expect(packets.length).toBe(shape.reduce((sum, { count }) => sum + count, 0))
      expect(new Set(packets).size).toBe(packets.length)
    }),
    { numRuns: 60 },
  )
})

/** Counts the last byte of an address up, `before` bytes in front of the end of the addresses, and keeps the checksums right. */
function rename(bytes: Uint8Array, at: number, before: number): void {
  const isV4 = (bytes[at] ?? 0) >> 4 === 4
  const last = at + (isV4 ? 20 : 40) - 1 - (isV4 ? before / 4 : before)
  bytes[last] = (bytes[last] ?? 0) + 1
  if (isV4) correctChecksum(bytes, at + 10, 1)
  const protocol = bytes[at + (isV4 ? 9 : 6)]
  correctChecksum(bytes, at + (isV4 ? 20 : 40) + (protocol === 6 ? 16 : 6), 1)
}

/** Shows another source to the peer. */
const RENAMING: PacketJudge = {
  fromOverlay: () => ACCEPT,
  toOverlay: () => ACCEPT,
  leave: (bytes, at) => rename(bytes, at, 16),
}

/** Gives what the peer sends another destination. */
const RECEIVING: PacketJudge = {
  fromOverlay: () => ACCEPT,
  toOverlay: (bytes, at) => {
    rename(bytes, at, 0)
    return CHANGED
  },
}

test('D20: what the judge changes in the headers of a packet or a super-packet is in every piece, with a checksum that holds', () => {
  fc.assert(
    fc.property(flows, (shape) => {
      const { inputs, packets } = traffic(shape)
      const [sender, receiver] = [new Side(1, 2), new Side(2, 1)]
      sender.core.judge = RENAMING
      for (const input of inputs) sender.send(input)
      sender.core.flush()
      for (const train of sender.trains) receiver.receive(train)
      const views = receiver.packets.map((packet) => decodeIpPacket(Buffer.from(packet, 'hex'))!)
      expect(views.length).toBe(packets.length)
      expect(views.map((view) => view.source.at(-1))).toEqual(views.map(() => 3))
      expect(views.every((view) => checksumsOk(view))).toBe(true)
    }),
    { numRuns: 40 },
  )
})

test('D20: packets to which the judge gives another destination are joined as they would be without', () => {
  fc.assert(
    fc.property(flows, (shape) => {
      const { inputs, packets } = traffic(shape)
      const [sender, plain, receiver] = [new Side(1, 2), new Side(2, 1), new Side(2, 1)]
      receiver.core.judge = RECEIVING
      for (const input of inputs) sender.send(input)
      sender.core.flush()
      for (const side of [plain, receiver]) for (const train of sender.trains) side.receive(train)
      const views = receiver.packets.map((packet) => decodeIpPacket(Buffer.from(packet, 'hex'))!)
      expect([views.length, receiver.written]).toEqual([packets.length, plain.written])
      expect(views.map((view) => view.destination.at(-1))).toEqual(views.map(() => 2))
      expect(views.every((view) => checksumsOk(view))).toBe(true)
    }),
    { numRuns: 40 },
  )
})

const mischief = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('flip' as const), at: fc.nat(1_000_000), bit: fc.nat(7) }),
    fc.record({ kind: fc.constant('cut' as const), length: fc.nat(2_000) }),
    fc.record({ kind: fc.constant('segment' as const), segment: fc.integer({ min: 1, max: 3_000 }) }),
    fc.record({ kind: fc.constant('again' as const) }),
    fc.record({ kind: fc.constant('junk' as const), bytes: fc.uint8Array({ maxLength: 200 }) }),
  ),
  { maxLength: 4 },
)

test('threat 21: trains that are damaged, cut, regrouped or sent twice bring nothing that was not sent, and nothing twice', () => {
  fc.assert(
    fc.property(flows, fc.array(mischief, { minLength: 1, maxLength: 8 }), (shape, plans) => {
      const { inputs, packets } = traffic(shape)
      const [sender, receiver] = [new Side(1, 2), new Side(2, 1)]
      for (const input of inputs) sender.send(input)
      sender.core.flush()
      sender.trains.forEach((train, i) => {
        let { bytes, segment } = train
        bytes = bytes.slice()
        for (const step of plans[i % plans.length] ?? []) {
          if (step.kind === 'flip' && bytes.length > 0) {
            const at = step.at % bytes.length
            bytes[at] = (bytes[at] ?? 0) ^ (1 << step.bit)
          } else if (step.kind === 'cut') bytes = bytes.slice(0, Math.max(0, bytes.length - step.length))
          else if (step.kind === 'segment') segment = step.segment
          else if (step.kind === 'again') receiver.receive({ bytes, segment })
          else if (step.kind === 'junk') bytes = Buffer.concat([bytes, step.bytes])
        }
        if (bytes.length > 0 && bytes.length <= 65_535) receiver.receive({ bytes, segment })
      })
      const sent = new Set(packets)
      expect(receiver.packets.filter((packet) => !sent.has(packet))).toEqual([])
      expect(new Set(receiver.packets).size).toBe(receiver.packets.length)
    }),
    { numRuns: 150 },
  )
})
