// Shows a gate a million packets of every kind, as they lie in a packet thread's memory, and says how many bytes of heap one
// allocates, how many there were, and which verdicts.
import v8 from 'node:v8'
import {
  encodeIcmpEcho,
  encodeTcpPacket,
  encodeUdpPacket,
  type IpAddress,
  parseAddress,
  parsePrefix,
  TCP_ACK,
  TCP_SYN,
} from '@mesh/wire/ip'
import { ACCEPT } from '@mesh/wireguard/arena'
import { GateDrops, PacketGate } from '../../../src/index.ts'

const MILLION = 1_000_000
const ROOM = 128
/** Flows of UDP at the same time: more than the filter remembers, so that some are forgotten all the while. */
const FLOWS = 600

const addressOf = (text: string): IpAddress => {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new TypeError(text)
  return parsed
}
/** High bytes, for a number above 2^31 may be an object. */
const OWN = [addressOf('203.0.113.1'), addressOf('fd7a:115c:a1e0::1')]
const PEER = [addressOf('240.0.0.2'), addressOf('fd7a:115c:a1e0:ffff:ffff:ffff:ffff:2')]

const gate = new PacketGate(new GateDrops(new SharedArrayBuffer(GateDrops.byteLength)))
gate.configure({
  localPrefixes: ['203.0.113.1/32', 'fd7a:115c:a1e0::1/128', '198.51.100.0/24'],
  ownAddresses: [...OWN, addressOf('100.100.100.100')],
  rules: [
    { SrcIPs: ['10.0.0.0/8', 'fd7a:115c:a1e1::/48'], DstPorts: [{ IP: '*', Ports: { First: 1, Last: 9 } }] },
    {
      SrcIPs: ['240.0.0.0/8', 'fd7a:115c:a1e0::/48'],
      DstPorts: [{ IP: '*', Ports: { First: 22, Last: 80 } }],
    },
  ],
})

/** One peer of each family, in the place of another of whom there is nothing to say, that knows this node by another address. */
const SHOWN = [addressOf('198.51.100.9'), addressOf('fd7a:115c:a1e0:ffff::9')]
const prefixes = ['240.0.0.2/32', 'fd7a:115c:a1e0:ffff:ffff:ffff:ffff:2/128'].flatMap(
  (text) => parsePrefix(text) ?? [],
)
const PEERS = { masquerade: [{ prefixes, shown: SHOWN, isJailed: false }], plain: [] }
const kind = process.argv[2] === 'masquerade' ? 'masquerade' : 'plain'
gate.configure({ terms: { own: OWN, peers: PEERS[kind] } })

/** Packets of both families, that a host (`out`) or its peers (`in`) send. */
const out: Uint8Array[] = []
const into: Uint8Array[] = []
for (const [family, own] of OWN.entries()) {
  const peer = PEER[family] ?? own
  const flags = (bits: number): Parameters<typeof encodeTcpPacket>[2] => ({
    sequence: 4_000_000_000,
    acknowledgment: 1,
    flags: bits,
    window: 9,
  })
  const echo = { kind: 'request', identifier: 1, sequence: 1, data: new Uint8Array(8) } as const
  out.push(
    encodeIcmpEcho(own, peer, echo),
    encodeUdpPacket({ address: own, port: 9 }, { address: own, port: 53 }, own),
  )
  into.push(encodeIcmpEcho(peer, own, echo))
  for (const port of [22, 443]) {
    const [here, there] = [
      { address: own, port },
      { address: peer, port: 50_000 },
    ] as const
    out.push(encodeTcpPacket(here, there, flags(TCP_ACK)))
    into.push(encodeTcpPacket(there, here, flags(TCP_ACK)), encodeTcpPacket(there, here, flags(TCP_SYN)))
    const shown = { address: SHOWN[family] ?? own, port }
    into.push(encodeTcpPacket(there, shown, flags(TCP_ACK)))
  }
  for (let flow = 0; flow < FLOWS; flow += 1) {
    const [here, there] = [
      { address: own, port: 60_000 + flow },
      { address: peer, port: 50_000 },
    ] as const
    out.push(encodeUdpPacket(here, there, peer))
    into.push(encodeUdpPacket(there, here, peer))
  }
}

/** The packets one after the other in one memory, and behind them once more. */
function layOut(packets: readonly Uint8Array[]): { bytes: Uint8Array; lengths: Int32Array } {
  const bytes = new Uint8Array(2 * packets.length * ROOM)
  packets.forEach((packet, i) => bytes.set(packet, i * ROOM))
  bytes.copyWithin(bytes.length / 2, 0, bytes.length / 2)
  return { bytes, lengths: Int32Array.from(packets, ({ length }) => length) }
}
const sent = layOut(out)
const received = layOut(into)
const verdicts = [0, 0, 0]
let seen = 0

/** What was rewritten is put back, or the next time round there would be nothing to do. */
function restore(): void {
  sent.bytes.copyWithin(0, sent.bytes.length / 2)
  received.bytes.copyWithin(0, received.bytes.length / 2)
}

function run(packets: number): void {
  for (let i = 0; i < packets; i += 2) {
    const o = (i >> 1) % sent.lengths.length
    if (o === 0) restore()
    const to = gate.fromOverlay(sent.bytes, o * ROOM, sent.lengths[o] ?? 0)
    if (to === ACCEPT) gate.leave(sent.bytes, o * ROOM, sent.lengths[o] ?? 0)
    verdicts[to] = (verdicts[to] ?? 0) + 1
    const r = (i >> 1) % received.lengths.length
    const from = gate.toOverlay(received.bytes, r * ROOM, received.lengths[r] ?? 0)
    verdicts[from] = (verdicts[from] ?? 0) + 1
    seen += 2
  }
}

const allocated = (): number =>
  (v8.getHeapStatistics() as unknown as { total_allocated_bytes: number }).total_allocated_bytes
run(MILLION / 4)
let least = Infinity
// What is compiled meanwhile is in some runs; what a packet costs is in all.
for (let runs = 0; runs < 4 && least >= 1; runs += 1) {
  const before = allocated()
  run(MILLION)
  least = Math.min(least, (allocated() - before) / MILLION)
}
console.log(JSON.stringify({ bytesEach: least, packets: seen, verdicts }))
