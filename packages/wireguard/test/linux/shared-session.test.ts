// A session that its peer began is heard by one core, and what another one sends next goes by it as well.
import { parsePrefix } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { SHARED_SESSION_BYTES } from '../../src/linux/arena-session.ts'
import { CORE_PACKET_BYTES, PlaneCore } from '../../src/linux/plane-core.ts'
import type { Trains } from '../../src/linux/trains.ts'
import { loadWasmAead } from '../../src/wasm/index.ts'
import { udpPacket } from './packets.ts'

const PEER = 1
const PACKET = udpPacket({ v6: false, length: 100, gso: 0 }).subarray(10)
const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

class Side {
  readonly core: PlaneCore
  readonly bytes: Uint8Array
  /** Datagrams that it sent, the last first. */
  readonly sent: Uint8Array[] = []
  onPackets: () => void = () => undefined

  constructor() {
    const loaded = loadWasmAead({ packetBytes: CORE_PACKET_BYTES })
    if (loaded.kind === 'missing') throw new Error(loaded.reason)
    this.bytes = loaded.aead.arena.bytes
    const nothing = (): void => undefined
    this.core = new PlaneCore(
      loaded.aead,
      {
        toOverlay: () => this.onPackets(),
        toUnderlay: (trains) => this.#take(trains),
        onPacket: nothing,
        onDatagram: nothing,
        onActivity: nothing,
        onSource: nothing,
        onSessionEnd: nothing,
      },
      { mtu: 1_420, coalesce: true },
    )
    const anywhere = parsePrefix('0.0.0.0/0')
    const all = anywhere === undefined ? [] : [anywhere]
    this.core.setRoutes([{ peer: PEER, routes: all, allowedIps: all }])
  }

  send(): void {
    this.core.takePacket(PACKET, 0)
    this.core.flush()
  }

  receive(datagram: Uint8Array): void {
    this.bytes.set(datagram, this.core.underlayAt)
    this.core.takeUnderlay(datagram.length, 0, -1, 0)
    this.core.flush()
  }

  #take({ count, offsets, bytes }: Trains): void {
    for (let train = 0; train < count; train += 1) {
      const at = offsets[train] ?? 0
      this.sent.unshift(this.bytes.slice(at, at + (bytes[train] ?? 0)))
    }
  }
}

test('W7 the answer to the first packet of a session goes by that session, on whichever core it is sent', () => {
  const [far, opens, sends] = [new Side(), new Side(), new Side()]
  const old = { localIndex: 1, remoteIndex: 10, sendKey: key(1), receiveKey: key(2), createdAt: 0 }
  const young = { localIndex: 2, remoteIndex: 11, sendKey: key(3), receiveKey: key(4), createdAt: 0 }
  const theirs = { localIndex: 11, remoteIndex: 2, sendKey: key(4), receiveKey: key(3), createdAt: 0 }
  const shared = new Int32Array(new SharedArrayBuffer(SHARED_SESSION_BYTES))
  for (const { core } of [opens, sends]) {
    core.setSession(PEER, { ...old, initiator: true }, 0)
    core.setSession(PEER, { ...young, initiator: false }, 0, shared)
  }
  far.core.setSession(PEER, { ...theirs, initiator: true }, 0)
  sends.send()
  expect(sends.sent[0]?.[4]).toBe(10) // the peer was not heard with the young one
  far.send()
  // The kernel answers while it is given the packet, before any message can have gone round.
  opens.onPackets = () => sends.send()
  opens.receive(far.sent[0] ?? new Uint8Array())
  expect(sends.sent[0]?.[4]).toBe(11)
  sends.core.confirm(PEER, young.localIndex, 0) // the news comes late, and changes nothing
  sends.send()
  expect(sends.sent[0]?.[4]).toBe(11)
})
