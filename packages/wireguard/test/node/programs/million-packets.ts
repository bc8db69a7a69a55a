// Two cores back to back, without a kernel and with a packet filter, send each other a million packets: super-packets of TCP
// that are cut, sealed, opened and joined, or datagrams of UDP that stay as they are. It says how many bytes of heap one
// allocates, how many packets arrived in all, and how often the filter was asked. `million-packets wasm|raw|evp tcp|udp`, by which crypto and of which kind.
import { parsePrefix } from '@mesh/wire/ip'
import { ACCEPT, DROP, type Verdict } from '../../../src/linux/packet-judge.ts'
import { CORE_PACKET_BYTES, PlaneCore } from '../../../src/linux/plane-core.ts'
import type { PlaneCoreOutputs } from '../../../src/linux/plane-outputs.ts'
import { borrowedOpenSsl, chooseAead, OPENSSL_SCRATCH } from '../../../src/node/openssl-aead.ts'
import { loadWasmAead } from '../../../src/wasm/index.ts'
import { bytesEach } from './allocation.ts'
import { udpPacket } from '../../linux/packets.ts'
import { SEGMENTS, superPacket } from './super-packet.ts'

const PEER = 1
const TCP = 6
const UDP = 17
/** Bytes of a datagram, its headers and the virtio header, and how many come from the TUN at a time. */
const DATAGRAM = 10 + 28 + 200
const AT_A_TIME = 32
const [crypto = 'wasm', kind = 'tcp'] = process.argv.slice(2)

class Side {
  readonly core: PlaneCore
  readonly bytes: Uint8Array
  /** Packets that came, and how often the filter was asked. */
  arrived = 0
  judged = 0

  constructor(send: number, receive: number, far: () => Side) {
    const loaded = loadWasmAead({ packetBytes: CORE_PACKET_BYTES, extraBytes: OPENSSL_SCRATCH })
    if (loaded.kind === 'missing') throw new Error(loaded.reason)
    const { aead: wasm } = loaded
    this.bytes = wasm.arena.bytes
    const outputs: PlaneCoreOutputs = {
      toOverlay: ({ count, pieces }) => {
        for (let out = 0; out < count; out += 1) this.arrived += pieces[out] ?? 0
      },
      toUnderlay: (trains) => {
        for (let train = 0; train < trains.count; train += 1) {
          const at = trains.offsets[train] ?? 0
          const length = trains.bytes[train] ?? 0
          const { core, bytes } = far()
          // A view would be an object for each train.
          for (let i = 0; i < length; i += 1) bytes[core.underlayAt + i] = this.bytes[at + i] ?? 0
          core.takeUnderlay(length, trains.segments[train] ?? 0, 1, 0)
          core.flush()
        }
      },
      onPacket: () => undefined,
      onDatagram: () => undefined,
      onActivity: () => undefined,
      onSource: () => undefined,
      onSessionEnd: () => undefined,
    }
    const scratch = wasm.arena.extra.byteOffset
    const { raw, evp } = borrowedOpenSsl()
    const lent = { raw: crypto === 'raw' ? raw : undefined, evp: crypto === 'evp' ? evp : undefined }
    const { backend } = chooseAead(wasm, scratch, lent)
    if (!backend.name.endsWith(crypto)) throw new Error(`this Node lends no ${crypto}`)
    this.core = new PlaneCore(wasm, outputs, { mtu: 1_420, coalesce: true, backend })
    this.core.judge = {
      fromOverlay: (bytes, at) => this.#judge(bytes[at + 9]),
      toOverlay: (bytes, at) => this.#judge(bytes[at + 9]),
    }
    const anywhere = parsePrefix('0.0.0.0/0')
    const all = anywhere === undefined ? [] : [anywhere]
    this.core.setRoutes([{ peer: PEER, routes: all, allowedIps: all }])
    this.keys = {
      localIndex: receive,
      remoteIndex: send,
      sendKey: new Uint8Array(32).fill(send),
      receiveKey: new Uint8Array(32).fill(receive),
      createdAt: 0,
      initiator: true,
    }
  }

  readonly keys: Parameters<PlaneCore['setSession']>[1]

  #judge(protocol: number | undefined): Verdict {
    if (protocol !== TCP && protocol !== UDP) return DROP
    this.judged += 1
    return ACCEPT
  }
}

const sides: Side[] = []
const a = new Side(1, 2, () => sides[1] as Side)
const b = new Side(2, 1, () => sides[0] as Side)
sides.push(a, b)
for (const { core, keys } of sides) core.setSession(PEER, keys, 0)

const packet = kind === 'udp' ? datagram() : superPacket()
for (const { core, bytes } of sides) bytes.set(packet, core.overlayAt)

function run(packets: number): void {
  for (let turn = 0, sent = 0; sent < packets; turn += 1, sent += kind === 'udp' ? AT_A_TIME : SEGMENTS) {
    const { core } = sides[turn & 1] as Side
    if (kind !== 'udp') core.takeOverlay(packet.length, 0)
    else for (let i = 0; i < AT_A_TIME; i += 1) core.takeOverlay(packet.length, 0)
    core.flush()
  }
}

/** A datagram with its virtio header. */
function datagram(): Uint8Array {
  const bytes = udpPacket({ v6: false, length: DATAGRAM - 38, gso: 0 })
  bytes.fill(0, 0, 10)
  return bytes
}

const bytes = bytesEach(1_000_000, run)
console.log(JSON.stringify({ bytesEach: bytes, packets: a.arrived + b.arrived, judged: a.judged + b.judged }))
