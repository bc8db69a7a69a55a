// A magicsock among many peers, each with a direct path that is trusted: what it sends goes nowhere, and is counted.
import { openBox, precomputeBox, sealBox, type X25519 } from '@mesh/keys'
import { MagicSock, type PeerConfig, type RelayMap } from '@mesh/magicsock'
import { drain, type RandomSource, seededRandom } from '@mesh/sansio'
import { decodeDisco, decodeDiscoEnvelope, encodeDisco, encodeDiscoEnvelope } from '@mesh/wire/disco'
import { type Endpoint, formatEndpoint } from '@mesh/wire/ip'

/** A WireGuard data message: what is in it does not matter here. */
export const DATAGRAM = new Uint8Array(1_392).fill(4, 0, 1)

const OWN: Endpoint = { address: Uint8Array.of(198, 51, 100, 1), port: 41_641 }
const NO_RELAYS: RelayMap = new Map()

/** Agreement without elliptic curves: the same for both, which is all that setting ten thousand peers up wants of it. */
const cheapX25519: X25519 = {
  x25519: (own, other) => own.map((byte, n) => byte ^ other[n]!),
  x25519Public: (own) => own.slice(),
}

/** One of them. */
export interface DirectPeer {
  readonly config: PeerConfig
  /** From where it speaks. */
  readonly endpoint: Endpoint
}

/** The machine, and its peers. */
export interface ManyPeers {
  readonly sock: MagicSock
  readonly peers: readonly DirectPeer[]
}

/** Returns a machine with so many peers; `families` are taken in turn. At the time `now` they are all direct. */
export function manyPeers(count: number, now: number, families: readonly (4 | 6)[] = [4]): ManyPeers {
  const random = seededRandom(count)
  const peers = Array.from({ length: count }, (_, id) => peerOf(id, families[id % families.length]!, random))
  let sent = 0
  const sock = new MagicSock({
    nodeKey: random(32),
    discoPrivateKey: random(32),
    underlay: { sendDatagram: () => void (sent += 1), sendRelay: () => undefined },
    random,
    x25519: cheapX25519,
    now,
  })
  sock.setRelays(NO_RELAYS, now)
  sock.setLocalAddresses([OWN.address], { v4: OWN.port, v6: undefined }, now)
  const configs = peers.map(({ config }) => config)
  sock.setPeers(configs, now)
  for (const { id } of configs) sock.send(id, DATAGRAM, now)
  answerPings(sock, peers, now)
  sent = 0
  for (const { id } of configs) sock.send(id, DATAGRAM, now)
  if (sent !== count) throw new Error(`${sent} of ${count} peers have a direct path`)
  return { sock, peers }
}

function peerOf(id: number, family: 4 | 6, random: RandomSource): DirectPeer {
  const [high, low] = [id >> 8, id & 0xff]
  const v4 = [203, 0, high, low]
  const v6 = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low]
  const endpoint = { address: Uint8Array.from(family === 4 ? v4 : v6), port: 41_641 }
  return {
    endpoint,
    config: { id, nodeKey: random(32), discoKey: random(32), endpoints: [endpoint], homeRelay: 0 },
  }
}

/** Every peer answers the pings it was sent, as it would from its endpoint. */
function answerPings(sock: MagicSock, peers: readonly DirectPeer[], now: number): void {
  const byEndpoint = new Map(peers.map((peer) => [formatEndpoint(peer.endpoint), peer]))
  for (const output of drain(sock)) {
    const peer = output.kind === 'datagram' ? byEndpoint.get(formatEndpoint(output.to)) : undefined
    if (output.kind !== 'datagram' || peer === undefined) continue
    const senderDisco = peer.config.discoKey!
    const key = precomputeBox(senderDisco, sock.discoKey, cheapX25519)!
    const envelope = decodeDiscoEnvelope(output.bytes)
    const inner = envelope && openBox(key, envelope.nonce, envelope.box)
    const ping = inner && decodeDisco(inner)
    if (ping?.kind !== 'ping') continue
    const nonce = new Uint8Array(24)
    const box = sealBox(key, nonce, encodeDisco({ kind: 'pong', txId: ping.txId, source: OWN }))
    sock.handleDatagram(encodeDiscoEnvelope({ senderDisco, nonce, box }), peer.endpoint, now)
  }
}
