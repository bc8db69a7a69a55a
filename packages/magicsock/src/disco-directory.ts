// Who is who in disco. A key says which machine speaks; several nodes may share one (the same machine in several
// networks), so a message may still be any of theirs. Keys nobody listed cost no arithmetic (section 4.3).
import {
  BOX_NONCE_LENGTH,
  type BoxKey,
  openBox,
  precomputeBox,
  publicKeyOf,
  sealBox,
  type X25519,
} from '@mesh/keys'
import type { RandomSource } from '@mesh/sansio'
import {
  decodeDisco,
  decodeDiscoEnvelope,
  type DiscoMessage,
  encodeDisco,
  encodeDiscoEnvelope,
} from '@mesh/wire/disco'
import type { DropReason } from './drops.ts'
import { KeyTable, sameKey } from './key-table.ts'
import type { Peer } from './peer.ts'

/** A disco key that some peer has. */
export interface DiscoIdentity {
  /** The public key, 32 bytes. */
  readonly key: Uint8Array
  /** The peers that have this key; one, nearly always. */
  readonly peers: Set<Peer>
  /** The key of the boxes between it and us: made at first need; `null` when the public key is worthless. */
  box: BoxKey | null | undefined
}

/** A disco packet that opened. */
export interface OpenedDisco {
  /** Whose key sealed it. */
  readonly sender: DiscoIdentity
  /** What it says. Fields view a fresh array. */
  readonly message: DiscoMessage
}

/** How a disco directory begins. */
export interface DiscoDirectoryOptions {
  /** Our disco private key. */
  readonly privateKey: Uint8Array
  /** Source of nonces. */
  readonly random: RandomSource
  /** A faster X25519 than the default. */
  readonly x25519?: X25519 | undefined
}

/** Seals for peers, opens from peers, and finds them by key. */
export class DiscoDirectory {
  /** Our disco public key. */
  readonly ownKey: Uint8Array
  readonly #privateKey: Uint8Array
  readonly #random: RandomSource
  readonly #x25519: X25519 | undefined
  readonly #identities = new KeyTable<DiscoIdentity>()

  constructor({ privateKey, random, x25519 }: DiscoDirectoryOptions) {
    this.#privateKey = privateKey
    this.#random = random
    this.#x25519 = x25519
    this.ownKey = publicKeyOf(privateKey, x25519)
  }

  /** Enters a peer under its key, and takes it out from under the one it had. Without a key it is only taken out. */
  enter(peer: Peer, key: Uint8Array | undefined): void {
    this.leave(peer)
    if (key === undefined) return
    const identity = this.#identities.get(key) ?? { key: key.slice(), peers: new Set(), box: undefined }
    this.#identities.set(key, identity)
    identity.peers.add(peer)
    peer.disco = identity
  }

  /** Takes a peer out. */
  leave(peer: Peer): void {
    const identity = peer.disco
    if (identity === undefined) return
    peer.disco = undefined
    identity.peers.delete(peer)
    if (identity.peers.size === 0) this.#identities.delete(identity.key)
  }

  /** Returns a sealed disco packet, or `undefined` when the receiver's key is worthless. */
  seal(to: DiscoIdentity, message: DiscoMessage): Uint8Array | undefined {
    const key = this.#boxOf(to)
    if (key === null) return undefined
    const nonce = this.#random(BOX_NONCE_LENGTH)
    return encodeDiscoEnvelope({
      senderDisco: this.ownKey,
      nonce,
      box: sealBox(key, nonce, encodeDisco(message)),
    })
  }

  /** Returns somebody who is no peer, to seal for and open from: a peer relay's server has a key of its own. */
  guest(key: Uint8Array): DiscoIdentity {
    return { key: key.slice(), peers: new Set(), box: undefined }
  }

  /** Opens a disco packet that a guest must have sealed; `undefined` when it did not. */
  openFrom(guest: DiscoIdentity, datagram: Uint8Array): DiscoMessage | undefined {
    const envelope = decodeDiscoEnvelope(datagram)
    if (envelope === undefined || !sameKey(envelope.senderDisco, guest.key)) return undefined
    const key = this.#boxOf(guest)
    const plaintext = key === null ? undefined : openBox(key, envelope.nonce, envelope.box)
    return plaintext && decodeDisco(plaintext)
  }

  /** Opens a disco packet, or returns why not. */
  open(datagram: Uint8Array): OpenedDisco | DropReason {
    const envelope = decodeDiscoEnvelope(datagram)
    if (envelope === undefined) return 'disco-malformed'
    const sender = this.#identities.get(envelope.senderDisco)
    if (sender === undefined) {
      return sameKey(envelope.senderDisco, this.ownKey) ? 'disco-own-key' : 'disco-unknown-sender'
    }
    const key = this.#boxOf(sender)
    const plaintext = key === null ? undefined : openBox(key, envelope.nonce, envelope.box)
    if (plaintext === undefined) return 'disco-sealed-badly'
    const message = decodeDisco(plaintext)
    return message === undefined ? 'disco-malformed' : { sender, message }
  }

  #boxOf(identity: DiscoIdentity): BoxKey | null {
    // That a key is worthless is remembered as well: whoever has such a one must not cost more than others.
    if (identity.box === undefined)
      identity.box = precomputeBox(this.#privateKey, identity.key, this.#x25519) ?? null
    return identity.box
  }
}
