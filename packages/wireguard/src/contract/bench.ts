// The far end of the data plane under test: it holds the same keys, and writes down all that the data plane says.
import { nobleCrypto } from '@mesh/noise'
import { encodeIpPacket, parseAddress, parsePrefix, type Prefix } from '@mesh/wire/ip'
import { decodeTransport, encodeTransport } from '@mesh/wire/wireguard'
import {
  type DataPlane,
  type DataPlaneOutputs,
  type DropReason,
  PacketBuffer,
  packetOf,
  type SessionKeys,
} from '../index.ts'

/** One clause of the contract: its name is a sentence, `run` throws when it is broken. */
export interface ContractCase {
  /** What the data plane does. */
  readonly name: string
  /** Tries it on a data plane made for the purpose, with an MTU of 1280. */
  run(make: (outputs: DataPlaneOutputs) => DataPlane): void
}

export const PEER = 5
export const OTHER = 6
export const NOTHING = new Uint8Array(0)

/** What one data plane said, and the far end of its sessions. */
export class Bench implements DataPlaneOutputs {
  readonly plane: DataPlane
  readonly overlay: { peer: number; bytes: Uint8Array }[] = []
  readonly underlay: { peer: number; bytes: Uint8Array }[] = []
  readonly control: { source: number; bytes: Uint8Array }[] = []
  readonly sources: number[] = []
  readonly ended: number[] = []
  activity = 0

  constructor(make: (outputs: DataPlaneOutputs) => DataPlane) {
    this.plane = make(this)
    this.plane.setRoutes([
      {
        peer: PEER,
        routes: prefixes('10.0.0.2/32', '10.1.0.0/16'),
        allowedIps: prefixes('10.0.0.2/32', '10.9.0.0/16'),
      },
      {
        peer: OTHER,
        routes: prefixes('10.0.0.3/32', '10.1.2.0/24'),
        allowedIps: prefixes('10.0.0.3/32', '10.9.0.0/16'),
      },
    ])
  }

  toOverlay(batch: Parameters<DataPlaneOutputs['toOverlay']>[0]): void {
    for (let i = 0; i < batch.count; i += 1) {
      this.overlay.push({ peer: batch.peers[i] ?? -1, bytes: packetOf(batch, i).slice() })
    }
  }

  toUnderlay(peer: number, batch: Parameters<DataPlaneOutputs['toUnderlay']>[1]): void {
    for (let i = 0; i < batch.count; i += 1) this.underlay.push({ peer, bytes: packetOf(batch, i).slice() })
  }

  onDatagrams(batch: Parameters<DataPlaneOutputs['onDatagrams']>[0]): void {
    for (let i = 0; i < batch.count; i += 1) {
      this.control.push({ source: batch.sources[i] ?? -1, bytes: packetOf(batch, i).slice() })
    }
  }

  onActivity(_peer: number, activity: number): void {
    this.activity |= activity
  }

  onSource(_peer: number, source: number): void {
    this.sources.push(source)
  }

  onSessionEnd(localIndex: number): void {
    this.ended.push(localIndex)
  }

  begin(localIndex: number, options: { peer?: number; initiator?: boolean; now?: number } = {}): void {
    const { peer = PEER, initiator = true, now = 0 } = options
    this.plane.setSession(peer, keysOf(localIndex, initiator, now), now)
  }

  /** Takes what was sent, opened by the far end. */
  sent(): { peer: number; index: number; plaintext: Uint8Array }[] {
    return this.underlay.splice(0).map(({ peer, bytes }) => {
      const message = decodeTransport(bytes)
      must(message !== undefined, 'a transport message')
      const nonce = nonceOf(message.counterHigh, message.counterLow)
      const plaintext = nobleCrypto.open(sendKeyOf(message.receiver - 1000), nonce, NOTHING, message.sealed)
      must(plaintext !== undefined, 'a message that opens')
      return { peer, index: message.receiver - 1000, plaintext }
    })
  }

  overlaySends(packets: readonly Uint8Array[], now = 0): void {
    const batch = new PacketBuffer()
    for (const bytes of packets) batch.push(bytes)
    this.plane.fromOverlay(batch, now)
  }

  underlaySends(datagrams: readonly Uint8Array[], options: { now?: number; source?: number } = {}): void {
    const batch = new PacketBuffer(256, 1 << 20)
    for (const datagram of datagrams) batch.push(datagram, -1, options.source ?? 1)
    this.plane.fromUnderlay(batch, options.now ?? 0)
  }

  takeActivity(): number {
    const { activity } = this
    this.activity = 0
    return activity
  }

  drops(reason: DropReason): number {
    return this.plane.counters().drops[reason]
  }
}

export function keysOf(localIndex: number, initiator: boolean, now: number): SessionKeys {
  const receiveKey = receiveKeyOf(localIndex)
  return {
    localIndex,
    remoteIndex: localIndex + 1000,
    sendKey: sendKeyOf(localIndex),
    receiveKey,
    initiator,
    createdAt: now,
  }
}

export function sendKeyOf(localIndex: number): Uint8Array {
  return new Uint8Array(32).fill(localIndex)
}

export function receiveKeyOf(localIndex: number): Uint8Array {
  return new Uint8Array(32).fill(100 + localIndex)
}

/** A datagram as the far end would make it. */
export function seal(
  localIndex: number,
  counterLow: number,
  plaintext: Uint8Array,
  counterHigh = 0,
): Uint8Array {
  const sealed = nobleCrypto.seal(
    receiveKeyOf(localIndex),
    nonceOf(counterHigh, counterLow),
    NOTHING,
    plaintext,
  )
  return encodeTransport({ receiver: localIndex, counterHigh, counterLow, sealed })
}

export function nonceOf(high: number, low: number): Uint8Array {
  const nonce = new Uint8Array(12)
  const view = new DataView(nonce.buffer)
  view.setUint32(4, low, true)
  view.setUint32(8, high, true)
  return nonce
}

export function packet(source: string, destination: string, size = 40, mark = 0): Uint8Array {
  const payload = new Uint8Array(size - 20)
  if (size > 20) payload[0] = mark
  return encodeIpPacket(
    { source: addressOf(source), destination: addressOf(destination), protocol: 253 },
    payload,
  )
}

export function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / 16) * 16)
  whole.set(bytes)
  return whole
}

export function addressOf(written: string): Uint8Array {
  const address = parseAddress(written)
  must(address !== undefined, written)
  return address
}

export function prefixes(...written: readonly string[]): Prefix[] {
  return written.map((one) => {
    const parsed = parsePrefix(one)
    must(parsed !== undefined, one)
    return parsed
  })
}

export function text(bytes: Uint8Array): string {
  return Array.from(bytes).join(' ')
}

export function equal(got: unknown, want: unknown): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)]
  if (a !== b) throw new Error(`want ${b}, got ${a}`)
}

export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`want ${what}`)
}
