// The work of packet threads, done in turn in this one: two peers of a third send it super-packets of TCP, or datagrams one at
// a time, through real sockets, and pairs of sockets in the place of their TUNs. It says how many bytes of heap one
// allocates, and how many arrived in all. `million-through-threads tcp|udp PACKETS`.
import { EAGAIN, O_CLOEXEC, O_NONBLOCK, SOCK_DGRAM } from '@mesh/linux'
import { Arena, linuxCalls } from '@mesh/linux/node'
import { parsePrefix } from '@mesh/wire/ip'
import { ACCEPT } from '../../../src/linux/packet-judge.ts'
import { CORE_PACKET_BYTES } from '../../../src/linux/plane-core.ts'
import { borrowedOpenSsl, chooseAead } from '../../../src/node/openssl-aead.ts'
import { type PlaneNews, SHARED_REPORTS, SHARED_WORDS } from '../../../src/node/plane-messages.ts'
import { PlaneThread, THREAD_SCRATCH } from '../../../src/node/plane-thread.ts'
import { openUdpPort } from '../../../src/node/udp-port.ts'
import { loadWasmAead } from '../../../src/wasm/index.ts'
import { bytesEach } from './allocation.ts'
import { udpPacket } from '../../linux/packets.ts'
import { SEGMENT, superPacket } from './super-packet.ts'

const LOOPBACK = Uint8Array.of(127, 0, 0, 1)
const [kind = 'tcp', wanted = '1000000'] = process.argv.slice(2)
const calls = linuxCalls()
const nothingSaid = (): void => undefined

/** One end: a thread's work, and what the host sees of its TUN. */
class End {
  readonly thread: PlaneThread
  readonly port: number
  /** Packets that its host was given. */
  arrived = 0
  readonly #host: number
  readonly #memory = new Arena(new SharedArrayBuffer(2 * 65_600))

  constructor() {
    const pair = new Arena(new SharedArrayBuffer(8))
    const made = calls.socketpair(SOCK_DGRAM | O_NONBLOCK | O_CLOEXEC, pair, 0)
    const socket = openUdpPort('v4', 0, { address: LOOPBACK })
    if (made < 0 || typeof socket === 'number') throw new Error('no sockets')
    const [host = -1, tun = -1] = new Int32Array(pair.bytes.buffer)
    this.#host = host
    this.port = socket.port
    const loaded = loadWasmAead({ packetBytes: CORE_PACKET_BYTES, extraBytes: THREAD_SCRATCH })
    if (loaded.kind === 'missing') throw new Error(loaded.reason)
    const { aead: wasm } = loaded
    const shared = new SharedArrayBuffer(SHARED_WORDS * 4)
    const hear = (news: PlaneNews): void => {
      if (news.kind === 'report') Atomics.sub(new Int32Array(shared), SHARED_REPORTS, 1)
    }
    this.thread = new PlaneThread(
      {
        lane: 0,
        takes: { overlay: 'always', underlay: true },
        turn: { word: new SharedArrayBuffer(4), wakes: -1 },
        leads: true,
        openers: 1,
        opener: 0,
        flows: { writes: undefined, reads: [] },
        tun,
        sockets: { v4: socket.fd, v6: -1, segments: socket.segments },
        wakeUp: calls.eventfd(O_NONBLOCK | O_CLOEXEC),
        mtu: 1_420,
        roams: true,
        shared,
        clock: { now: 0, seconds: 0, nanoseconds: 0 },
        judge: undefined,
        aead: undefined,
      },
      wasm,
      chooseAead(wasm, wasm.arena.extra.byteOffset, borrowedOpenSsl()),
      hear,
    )
    this.thread.setJudge({ fromOverlay: () => ACCEPT, toOverlay: () => ACCEPT })
  }

  /** Names its peers by the last byte of their overlay addresses, from 1 on. */
  meet(own: number, peers: readonly { readonly number: number; readonly end: End }[]): void {
    const { thread } = this
    const routesOf = (number: number) => {
      const prefix = parsePrefix(`10.0.0.${number}/32`)
      return prefix === undefined ? [] : [prefix]
    }
    const routes = peers.map(({ number: peer }) => ({
      peer,
      routes: routesOf(peer),
      allowedIps: routesOf(peer),
    }))
    const now = 0
    thread.perform({ kind: 'routes', peers: routes }, now)
    for (const { number: peer, end } of peers) {
      const keys = new SharedArrayBuffer(64)
      new Uint8Array(keys).fill(10 * own + peer, 0, 32).fill(10 * peer + own, 32)
      const localIndex = 10 * own + peer
      const remoteIndex = 10 * peer + own
      const session = { localIndex, remoteIndex, initiator: true, createdAt: now, keys, shared: undefined }
      thread.perform({ kind: 'path', peer, endpoint: { address: LOOPBACK, port: end.port } }, now)
      thread.perform({ kind: 'session', peer, ...session }, now)
    }
  }

  /** Lays what the host sends with {@link send}. */
  lay(packet: Uint8Array): void {
    this.#memory.bytes.set(packet)
  }

  send(length: number): void {
    if (calls.write(this.#host, this.#memory, 0, length) !== length) throw new Error('the TUN is full')
  }

  /** Does all there is to do. */
  work(now: number): void {
    while (this.thread.step(now, nothingSaid));
  }

  /** Takes what the host was given. */
  drain(): void {
    for (;;) {
      const length = calls.read(this.#host, this.#memory, 65_600, 65_600)
      if (length === -EAGAIN) return
      this.arrived += length > 2 * SEGMENT ? Math.ceil((length - 62) / SEGMENT) : 1
    }
  }
}

/** What a host sends to another, its virtio header first. */
function packetFrom(source: number, destination: number): Uint8Array {
  const bytes = kind === 'udp' ? udpPacket({ v6: false, length: 200, gso: 0 }) : superPacket()
  if (kind === 'udp') bytes.fill(0, 0, 10)
  bytes[10 + 15] = source
  bytes[10 + 19] = destination
  return bytes
}

const hub = new End()
const spokes = [new End(), new End()]
hub.meet(
  1,
  spokes.map((end, index) => ({ number: index + 2, end })),
)
let length = 0
for (const [index, spoke] of spokes.entries()) {
  spoke.meet(index + 2, [{ number: 1, end: hub }])
  const packet = packetFrom(index + 2, 1)
  spoke.lay(packet)
  length = packet.length
}

/** Time goes by as packets do, so that as many reports are posted however busy the machine is. */
let rounds = 0

function run(packets: number): void {
  const goal = hub.arrived + packets
  for (; hub.arrived < goal; rounds += 1) {
    const now = rounds >> 8
    for (const spoke of spokes) {
      spoke.send(length)
      spoke.work(now)
    }
    hub.work(now)
    hub.drain()
  }
}

const bytes = bytesEach(Number(wanted), run)
console.log(JSON.stringify({ bytesEach: bytes, packets: hub.arrived }))
