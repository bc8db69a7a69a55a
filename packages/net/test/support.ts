// Two engines and the wire between them, under a clock that is turned by hand.
import { DnsResolver } from '@mesh/dns'
import { Engine, type EngineOptions, UserspaceHost } from '../src/index.ts'
import { publicKeyOf } from '@mesh/keys'
import { ManualClock, seededRandom } from '@mesh/sansio'
import { parsePrefix } from '@mesh/wire/ip'
import type { PeerConfig } from '@mesh/wireguard'

/** One end: an engine, its host, and what left it. */
export interface End {
  readonly engine: Engine
  readonly host: UserspaceHost
  readonly dns: DnsResolver
  readonly address: string
  readonly sent: Uint8Array[]
  readonly sources: number[]
  readonly discoKeys: Uint8Array[]
  /** What went back to where something came from: source and type of message. */
  readonly replies: (readonly [source: number, type: number | undefined])[]
  /** How its engine was told of the other end. */
  readonly peers: PeerConfig[]
  /** Whether there is a path to the other end. */
  readonly plug: { plugged: boolean }
}

/** Two ends that know each other and allow everything. */
export interface Wire {
  readonly clock: ManualClock
  readonly a: End
  readonly b: End
  /** Carries everything that was sent, until nothing moves any more. */
  readonly carry: () => void
}

/** Makes two ends, `a` with more options. The datagrams lie on the wire until it is told to carry them. */
export function makeWire(more: Pick<EngineOptions, 'tellGate' | 'forward'> = {}): Wire {
  const clock = new ManualClock(1_000)
  const random = seededRandom(7)
  const keys = [random(32), random(32)] as const
  const [a, b] = [makeEnd(clock, keys[0], '100.64.0.1', 1, more), makeEnd(clock, keys[1], '100.64.0.2', 2)]
  introduce(a, b, publicKeyOf(keys[1]))
  introduce(b, a, publicKeyOf(keys[0]))
  const carry = (): void => {
    while (a.sent.length + b.sent.length > 0) {
      for (const datagram of a.sent.splice(0)) b.engine.fromUnderlay(datagram, 11)
      for (const datagram of b.sent.splice(0)) a.engine.fromUnderlay(datagram, 22)
    }
  }
  return { clock, a, b, carry }
}

function makeEnd(
  clock: ManualClock,
  privateKey: Uint8Array,
  address: string,
  seed: number,
  more: Pick<EngineOptions, 'tellGate' | 'forward'> = {},
): End {
  const sent: Uint8Array[] = []
  const sources: number[] = []
  const wireOf = { plugged: true }
  const discoKeys: Uint8Array[] = []
  const replies: (readonly [source: number, type: number | undefined])[] = []
  const dns = new DnsResolver()
  const random = seededRandom(seed)
  const engine = new Engine({
    privateKey,
    underlay: {
      send: (_peer, datagram) => wireOf.plugged && sent.push(datagram.slice()) > 0,
      attribute: (source) => sources.push(source),
      nameSource: (source) => Uint8Array.of(source),
      sendToSource: (source, datagram) => replies.push([source, datagram[0]]),
      learnDiscoKey: (_peer, key) => discoKeys.push(key),
    },
    dns,
    clock,
    random,
    wallClock: () => 1_700_000_000_000 + clock.now(),
    ...more,
  })
  const host = new UserspaceHost(clock, random, (batch) => engine.fromOverlay(batch))
  engine.setHost(host)
  const own = parsePrefix(`${address}/32`)!.address
  engine.setOwnAddresses([own])
  host.setAddresses([own])
  const rules = [{ SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65535 } }] }]
  engine.setFilter({ localPrefixes: [`${address}/32`], rules })
  return { engine, host, dns, address, sent, sources, discoKeys, replies, peers: [], plug: wireOf }
}

function introduce(end: End, peer: End, publicKey: Uint8Array): void {
  const allowedIps = [parsePrefix(`${peer.address}/32`)!]
  end.peers.push({ id: 0, publicKey, allowedIps })
  end.engine.wireguard.setPeers(end.peers, 1_000)
  end.engine.wake()
}
