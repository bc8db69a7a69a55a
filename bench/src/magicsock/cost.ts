// What a packet costs magicsock, to send and to receive, with few and with many peers: it must not matter how many.
// Every peer has a direct path that is trusted. With all of them in use each packet goes to, or comes from, the next, and
// the processor's cache has forgotten what ten thousand packets ago was last needed; with ten of them in use it has not:
// the one shows what the cache is worth, the other what the number of peers costs.
import { openBox, precomputeBox, sealBox, type X25519 } from '@mesh/keys'
import { MagicSock, type PeerConfig, type RelayMap } from '@mesh/magicsock'
import { drain, seededRandom } from '@mesh/sansio'
import { decodeDisco, decodeDiscoEnvelope, encodeDisco, encodeDiscoEnvelope } from '@mesh/wire/disco'
import type { Endpoint } from '@mesh/wire/ip'
import type { Contestant } from '../rounds.ts'

/** How many peers there are, in turn. */
export const PEERS = [10, 1_000, 10_000] as const

const NOW = 1_000
/** A WireGuard data message: what is in it does not matter here. */
const DATAGRAM = new Uint8Array(1_392).fill(4, 0, 1)
const OWN: Endpoint = { address: Uint8Array.of(198, 51, 100, 1), port: 41_641 }
const NO_RELAYS: RelayMap = new Map()
const PACKETS_A_RUN = 1_000

/** Agreement without elliptic curves: the same for both, which is all that setting ten thousand peers up wants of it. */
const cheapX25519: X25519 = {
  x25519: (own, other) => own.map((byte, n) => byte ^ other[n]!),
  x25519Public: (own) => own.slice(),
}

interface Peer {
  readonly config: PeerConfig
  readonly endpoint: Endpoint
}

/** How many of many peers talk at a time, in the control. */
export const FEW = 10

/** What sends and what receives a thousand packets. */
export interface Cost {
  readonly send: Contestant
  readonly receive: Contestant
}

/** Returns the cost among so many peers, with all of them in use and with {@link FEW}. */
export function costOf(count: number): { readonly all: Cost; readonly few: Cost } {
  const random = seededRandom(count)
  const peers = Array.from({ length: count }, (_, id) => peerOf(id, random))
  let sent = 0
  const sock = new MagicSock({
    nodeKey: random(32),
    discoPrivateKey: random(32),
    underlay: { sendDatagram: () => void (sent += 1), sendRelay: () => undefined },
    random,
    x25519: cheapX25519,
    now: NOW,
  })
  sock.setRelays(NO_RELAYS, NOW)
  sock.setLocalAddresses([OWN.address], { v4: OWN.port, v6: undefined }, NOW)
  sock.setPeers(
    peers.map(({ config }) => config),
    NOW,
  )
  for (const { config } of peers) sock.send(config.id, DATAGRAM, NOW)
  answerPings(sock, peers)
  sent = 0
  for (const { config } of peers) sock.send(config.id, DATAGRAM, NOW)
  if (sent !== count) throw new Error(`${sent} of ${count} peers have a direct path`)
  return {
    all: costWith(sock, peers, `${count}`),
    few: costWith(sock, peers.slice(0, FEW), `${count} with ${FEW} in use`),
  }
}

function costWith(sock: MagicSock, used: readonly Peer[], name: string): Cost {
  let next = 0
  const runOver = (packet: (peer: Peer) => void): number => {
    for (let i = 0; i < PACKETS_A_RUN; i += 1) {
      packet(used[next]!)
      next = next + 1 === used.length ? 0 : next + 1
    }
    return PACKETS_A_RUN
  }
  return {
    send: { name: `send ${name}`, run: () => runOver(({ config }) => sock.send(config.id, DATAGRAM, NOW)) },
    receive: {
      name: `receive ${name}`,
      run: () => runOver(({ endpoint }) => sock.handleDatagram(DATAGRAM, endpoint, NOW)),
    },
  }
}

function peerOf(id: number, random: (length: number) => Uint8Array): Peer {
  const endpoint = { address: Uint8Array.of(203, 0, id >> 8, id & 0xff), port: 41_641 }
  return {
    endpoint,
    config: { id, nodeKey: random(32), discoKey: random(32), endpoints: [endpoint], homeRelay: 0 },
  }
}

/** Every peer answers the pings it was sent, as it would from its endpoint. */
function answerPings(sock: MagicSock, peers: readonly Peer[]): void {
  for (const output of drain(sock)) {
    if (output.kind !== 'datagram') continue
    const { address } = output.to
    const peer = peers[address[2]! * 256 + address[3]!]!
    const key = precomputeBox(peer.config.discoKey!, sock.discoKey, cheapX25519)!
    const envelope = decodeDiscoEnvelope(output.bytes)
    const inner = envelope && openBox(key, envelope.nonce, envelope.box)
    const ping = inner && decodeDisco(inner)
    if (ping?.kind !== 'ping') continue
    const nonce = new Uint8Array(24)
    const box = sealBox(key, nonce, encodeDisco({ kind: 'pong', txId: ping.txId, source: OWN }))
    const senderDisco = peer.config.discoKey!
    sock.handleDatagram(encodeDiscoEnvelope({ senderDisco, nonce, box }), peer.endpoint, NOW)
  }
}
