// Two nodes that live for a moment in this memory meet, over a relay and then straight, with the primitives that the real
// node is going to use. It proves that these work on this machine, and has the code of a first meeting compiled: the first
// packet to the first peer would otherwise wait for that, some thirty milliseconds on both sides together.
import { publicKeyOf } from '@mesh/keys'
import { MagicSock, type RelayMap } from '@mesh/magicsock'
import type { Crypto } from '@mesh/noise'
import type { RandomSource } from '@mesh/sansio'
import { encodeIpPacket, type Endpoint } from '@mesh/wire/ip'
import { packetOf, WireGuardDevice } from '@mesh/wireguard'

/** Anything will do: nothing waits. */
const NOW = 1_000
const REGION = 1
/** The number of the other one, for each of the two. */
const OTHER = 0
const RELAYS: RelayMap = new Map([
  [REGION, { id: REGION, code: 'rehearsal', noMeasureNoHome: false, score: 1, nodes: [] }],
])
/** So many things happen at a meeting at most: one that goes on for ever is none. */
const MAX_STEPS = 1_000
const UDP = 17

/**
 * Lets two nodes meet in memory.
 *
 * @throws Error when they do not meet: the primitives are broken then, and no real peer would be met either.
 */
export function rehearseMeeting(crypto: Crypto, random: RandomSource): void {
  const mail: (() => void)[] = []
  const one = new Actor(1, crypto, random, mail)
  const two = new Actor(2, crypto, random, mail)
  one.meet(two)
  two.meet(one)
  // The first packet waits for the handshake; each says something once the path is there.
  for (const actor of [one, one, two]) {
    actor.say()
    deliver([one, two], mail)
  }
  const areDirect = [one, two].every(({ sock }) => sock.status(OTHER, NOW)?.endpoint !== undefined)
  const heard = one.heard === 1 && two.heard === 2
  for (const { device } of [one, two]) device.close()
  if (!areDirect || !heard)
    throw new Error('two nodes in memory cannot meet: the crypto of this machine is broken')
}

function deliver(actors: readonly Actor[], mail: (() => void)[]): void {
  for (let step = 0; step < MAX_STEPS; step += 1) {
    for (const actor of actors) actor.work()
    const letter = mail.shift()
    if (letter === undefined) return
    letter()
  }
}

/** One of the two. */
class Actor {
  readonly sock: MagicSock
  readonly device: WireGuardDevice
  /** Packets of the other's that came out of the tunnel. */
  heard = 0
  readonly #endpoint: Endpoint
  readonly #address: Uint8Array
  readonly #nodeKey: Uint8Array
  readonly #mail: (() => void)[]
  #other: Actor | undefined

  constructor(last: number, crypto: Crypto, random: RandomSource, mail: (() => void)[]) {
    const privateKey = random(32)
    this.#nodeKey = publicKeyOf(privateKey, crypto)
    // TEST-NET-3 (RFC 5737) without, and an address of the overlay within.
    this.#endpoint = { address: Uint8Array.of(203, 0, 113, last), port: 41_641 }
    this.#address = Uint8Array.of(100, 64, 0, last)
    this.#mail = mail
    this.sock = new MagicSock({
      nodeKey: this.#nodeKey,
      discoPrivateKey: random(32),
      underlay: {
        sendDatagram: (_to, bytes) => this.#post(bytes, (to, copy) => to.#hear(copy, this.#endpoint)),
        sendRelay: (_region, _to, bytes) => this.#postByRelay(bytes),
      },
      random,
      now: NOW,
      x25519: crypto,
    })
    this.device = new WireGuardDevice({
      privateKey,
      random,
      crypto,
      wallClock: () => NOW,
      outputs: {
        toOverlay: ({ count }) => void (this.heard += count),
        toUnderlay: (peer, batch) => {
          for (let i = 0; i < batch.count; i += 1) this.sock.send(peer, packetOf(batch, i), NOW)
        },
        onSource: (peer, source) => this.sock.attribute(source, peer, NOW),
      },
    })
    this.sock.setRelays(RELAYS, NOW)
    this.sock.setLocalAddresses([this.#endpoint.address], { v4: this.#endpoint.port, v6: undefined }, NOW)
  }

  /** Learns of the other. */
  meet(other: Actor): void {
    this.#other = other
    const allowedIps = [{ address: other.#address, bits: 32 }]
    this.device.setPeers([{ id: OTHER, publicKey: other.#nodeKey, allowedIps }], NOW)
    const { discoKey } = other.sock
    const endpoints = [other.#endpoint]
    this.sock.setPeers([{ id: OTHER, nodeKey: other.#nodeKey, discoKey, endpoints, homeRelay: REGION }], NOW)
  }

  /** Sends the other a packet. */
  say(): void {
    const header = { source: this.#address, destination: this.#other!.#address, protocol: UDP }
    this.device.handlePacket(encodeIpPacket(header, new Uint8Array(8)), NOW)
  }

  /** Does what its machines want done. */
  work(): void {
    for (let output = this.sock.poll(); output !== undefined; output = this.sock.poll()) {
      if (output.kind === 'datagram') this.#post(output.bytes, (to, copy) => to.#hear(copy, this.#endpoint))
      if (output.kind === 'relay') this.#postByRelay(output.bytes)
    }
    while (this.device.poll() !== undefined);
  }

  #postByRelay(bytes: Uint8Array): void {
    this.#post(bytes, (to, copy) => {
      if (to.sock.handleRelayPacket(REGION, this.#nodeKey, copy, NOW) !== 'consumed') to.#open(copy)
    })
  }

  #post(bytes: Uint8Array, arrive: (to: Actor, copy: Uint8Array) => void): void {
    const to = this.#other!
    const copy = bytes.slice()
    this.#mail.push(() => arrive(to, copy))
  }

  #hear(bytes: Uint8Array, from: Endpoint): void {
    if (this.sock.handleDatagram(bytes, from, NOW) !== 'consumed') this.#open(bytes)
  }

  #open(bytes: Uint8Array): void {
    this.device.handleDatagram(bytes, this.sock.lastSource, NOW)
  }
}
