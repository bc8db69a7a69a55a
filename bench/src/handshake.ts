// WireGuard handshakes as the responder takes them, microseconds each and how many a second, by noble alone and with
// node:crypto; and what a junk initiation costs, which must be no more than the one hash that finds its MAC wrong.
import { type Crypto, macKeysOf, nobleCrypto, wireguardInitiate, writeMac1 } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { WireGuard } from '@mesh/wireguard'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { round } from './machine.ts'
import { compareRounds, median, timesAsLong } from './rounds.ts'

/** How many initiations are made beforehand; a responder that has taken all begins anew. */
const POOL = 4000
/** Junk initiations a run. */
const JUNK = 64
/** Milliseconds between two handshakes of the peer: more than any limit asks for. */
const PACE = 10_000
const random = (length: number): Uint8Array => globalThis.crypto.getRandomValues(new Uint8Array(length))

/** `pnpm bench handshake`. */
export const handshakeBench: Bench = {
  summary: 'takes handshake initiations, good ones and junk: node:crypto against noble, µs each',
  run: (options) => Promise.resolve(runHandshakes(options)),
}

function runHandshakes({ say }: BenchOptions): Omit<BenchResult, 'name' | 'machine'> {
  const privateKey = random(32)
  const initiator = random(32)
  const initiations = makeInitiations(initiator, nodeCrypto.x25519Public(privateKey))
  const junk = initiations.slice(0, JUNK).map((message) => message.with(120, (message[120] ?? 0) ^ 1))
  const cryptos: readonly Crypto[] = [nodeCrypto, nobleCrypto]
  const responderOf = (crypto: Crypto): Responder => new Responder(crypto, privateKey, initiator)
  const options = { rounds: 7, sliceMs: 80, warmUpMs: 250 }
  const good = compareRounds(
    cryptos.map((crypto) => ({ name: crypto.name, run: takeAll(() => responderOf(crypto), initiations) })),
    options,
  )
  const bad = compareRounds(
    cryptos.map((crypto) => ({ name: crypto.name, run: refuseAll(responderOf(crypto), junk) })),
    options,
  )
  const hash = compareRounds(
    cryptos.map((crypto) => ({ name: crypto.name, run: hashAll(crypto, junk) })),
    options,
  )
  const figures = (name: string): Record<string, number> => {
    const us = median(good.get(name) ?? [])
    return {
      handshakeUs: round(us),
      handshakesPerSecond: Math.round(1e6 / us),
      junkUs: round(median(bad.get(name) ?? [])),
      hashUs: round(median(hash.get(name) ?? [])),
    }
  }
  const ours = figures('node')
  const peer = figures('noble')
  say(
    `node:crypto: ${ours['handshakesPerSecond']} handshakes a second, junk ${ours['junkUs']} µs, a hash ${ours['hashUs']} µs`,
  )
  say(
    `noble:       ${peer['handshakesPerSecond']} handshakes a second, junk ${peer['junkUs']} µs, a hash ${peer['hashUs']} µs`,
  )
  const ratio = {
    handshake: round(timesAsLong(good.get('noble') ?? [], good.get('node') ?? [])),
    junk: round(timesAsLong(bad.get('noble') ?? [], bad.get('node') ?? [])),
    junkInHashes: round(timesAsLong(bad.get('node') ?? [], hash.get('node') ?? [])),
  }
  return { ours, peer, ratio }
}

/** A responder and how far it has come; its clock jumps, so that no limit but speed holds it back. */
class Responder {
  readonly machine: WireGuard
  now = 0

  constructor(crypto: Crypto, privateKey: Uint8Array, initiator: Uint8Array) {
    this.machine = new WireGuard({ privateKey, random, wallClock: () => Date.now(), crypto })
    this.machine.setPeers([{ id: 1, publicKey: nodeCrypto.x25519Public(initiator), allowedIps: [] }], 0)
  }

  /** Takes one message and returns whether it was answered. */
  take(message: Uint8Array): boolean {
    this.now += PACE
    this.machine.handleDatagram(message, 1, undefined, this.now)
    let answered = false
    for (let out = this.machine.poll(); out !== undefined; out = this.machine.poll()) {
      if (out.kind === 'session') answered = true
    }
    return answered
  }
}

function takeAll(fresh: () => Responder, initiations: readonly Uint8Array[]): () => number {
  let responder = fresh()
  let next = 0
  return () => {
    if (next === initiations.length) {
      responder = fresh()
      next = 0
    }
    const message = initiations[next] ?? new Uint8Array(0)
    next += 1
    if (!responder.take(message)) throw new Error(`initiation ${next} was not answered`)
    return 1
  }
}

function refuseAll(responder: Responder, junk: readonly Uint8Array[]): () => number {
  return () => {
    for (const message of junk) {
      if (responder.take(message)) throw new Error('junk was answered')
    }
    return junk.length
  }
}

/** The one hash that junk may cost: MAC1 over all bytes before it. */
function hashAll(crypto: Crypto, messages: readonly Uint8Array[]): () => number {
  const key = random(32)
  return () => {
    for (const message of messages) crypto.blake2s(message.subarray(0, 116), { key, length: 16 })
    return messages.length
  }
}

/** Initiations of one peer to another, each with a later timestamp. */
function makeInitiations(initiator: Uint8Array, responderPublic: Uint8Array): Uint8Array[] {
  const macKeys = macKeysOf(nodeCrypto, responderPublic)
  return Array.from({ length: POOL }, (_, i) => {
    const timestamp = new Uint8Array(12)
    new DataView(timestamp.buffer).setBigUint64(0, 0x4000_0000_0000_000an + BigInt(i))
    const initiation = wireguardInitiate({
      crypto: nodeCrypto,
      staticPrivate: initiator,
      staticPublic: nodeCrypto.x25519Public(initiator),
      remoteStatic: responderPublic,
      ephemeralPrivate: random(32),
      timestamp,
      senderIndex: i + 1,
    })
    if (initiation === undefined) throw new Error('an initiation could not be made')
    writeMac1(nodeCrypto, macKeys, initiation.message)
    return initiation.message
  })
}
