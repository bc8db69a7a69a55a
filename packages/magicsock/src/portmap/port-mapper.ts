// Keeps one UDP port mapped at the gateway: finds out what the gateway speaks, asks, renews at half the lifetime,
// notices when the gateway has forgotten, and takes the mapping back in the end (data-plane.md section 6).
import { type Machine, type RandomSource, TokenBucket } from '@mesh/sansio'
import { type Endpoint, endpointsEqual, formatAddress, isPrivate } from '@mesh/wire/ip'
import { askNatPmp, RESPONSE_WAIT } from './ask-nat-pmp.ts'
import { askPcp } from './ask-pcp.ts'
import { askUpnp, type UpnpMapping, upnpRelease } from './ask-upnp.ts'
import type { Dialogue, Happening, Setting, Wanted } from './dialogue.ts'
import { discover } from './discover.ts'
import { EpochWatch, NAT_PMP_EPOCH, PCP_EPOCH } from './epoch-watch.ts'
import type { GatewayRequest, GatewayResponse } from './http-request.ts'
import type { Gateway, PortMapping, PortMapServices } from './mapping.ts'
import { decodePmpResponse, encodePmpAddressRequest, encodePmpMapRequest, NAT_PMP_PORT } from './nat-pmp.ts'
import { decodePcpResponse, encodePcpAnnounce, encodePcpMapRequest, PCP_NONCE_LENGTH } from './pcp.ts'
import { decodeSsdpAnswer } from './ssdp.ts'

/** How long one attempt to get a mapping may take. */
export const ATTEMPT_TIMEOUT = 5_000
/** How soon a gateway that gave nothing is asked again; each time it is left in peace twice as long, up to the next. */
export const FIRST_RETRY_INTERVAL = 10_000
/** How long it is left in peace in the end. */
export const RETRY_INTERVAL = 5 * 60_000
/** How often a gateway that keeps an epoch is asked for it. */
export const EPOCH_CHECK_INTERVAL = 60_000
/** However short the lifetimes it gives, a gateway is not asked more often. */
export const MIN_RENEW_INTERVAL = 30_000
/** So often in a row a gateway is believed at once that it has forgotten; after that once in {@link MIN_RENEW_INTERVAL}. */
const LOSSES_AT_ONCE = 3

/** What a {@link PortMapper} asks of its owner. */
export type PortMapperOutput =
  /** Send this datagram from a UDP socket used for nothing else. */
  | { readonly kind: 'datagram'; readonly to: Endpoint; readonly bytes: Uint8Array }
  /** Fetch this, and tell {@link PortMapper.handleFetched}. 0 as number: nobody waits for the answer. */
  | { readonly kind: 'fetch'; readonly fetch: number; readonly request: GatewayRequest }
  /** There is another mapping than before, or none any more. */
  | { readonly kind: 'event'; readonly event: 'mapping'; readonly mapping: PortMapping | undefined }

/** Keeps one UDP port mapped. */
export class PortMapper implements Machine<PortMapperOutput> {
  readonly #random: RandomSource
  readonly #out: PortMapperOutput[] = []
  readonly #pmpEpoch = new EpochWatch(NAT_PMP_EPOCH)
  readonly #pcpEpoch = new EpochWatch(PCP_EPOCH)
  #gateway: Gateway | undefined
  #port = 0
  #mapping: PortMapping | UpnpMapping | undefined
  #nonce = new Uint8Array(PCP_NONCE_LENGTH)
  #services: PortMapServices = { natPmp: undefined, pcp: undefined, upnp: undefined }
  #dialogue: Dialogue<PortMapping | undefined> | undefined
  #wanted: Wanted | undefined
  #fetch = 0
  #deadline = Infinity
  /** When to ask for a mapping, or for its renewal. */
  #askAt = Infinity
  #checkAt = Infinity
  /** How soon the epoch is asked for again unless there is an answer; each time twice as long. */
  #recheckAfter = RESPONSE_WAIT
  /** Whoever speaks in the gateway's name could have it asked as fast as it answers (threat 13). */
  readonly #losses = new TokenBucket(LOSSES_AT_ONCE, MIN_RENEW_INTERVAL, 0)
  #retryAfter = FIRST_RETRY_INTERVAL
  #now = 0

  /** @param random - Source of ports and nonces. */
  constructor(random: RandomSource) {
    this.#random = random
  }

  /** The mapping there is. */
  get mapping(): PortMapping | undefined {
    return this.#mapping
  }

  /** What the gateway speaks. */
  get services(): PortMapServices {
    return this.#services
  }

  /**
   * Says who the gateway is and which of our UDP ports is to be reached; `undefined` when there is none or the network
   * is down. A gateway with a public address is no home router and is not asked.
   */
  setNetwork(gateway: Gateway | undefined, port: number, now: number): void {
    this.#now = now
    const asked = gateway !== undefined && port !== 0 && isHomeRouter(gateway) ? gateway : undefined
    if (sameGateway(asked, this.#gateway) && port === this.#port) return
    this.release(now)
    this.#gateway = asked
    this.#port = port
    this.#pmpEpoch.forget()
    this.#pcpEpoch.forget()
    this.#nonce = this.#random(PCP_NONCE_LENGTH).slice()
    this.#services = { natPmp: undefined, pcp: undefined, upnp: undefined }
    this.#askAt = asked === undefined ? Infinity : now
    this.#retryAfter = FIRST_RETRY_INTERVAL
    this.handleTimeout(now)
  }

  /** Takes a datagram. Only the gateway is listened to. */
  handleDatagram(bytes: Uint8Array, from: Endpoint, now: number): void {
    this.#now = now
    const gateway = this.#gateway
    if (gateway === undefined || formatAddress(from.address) !== formatAddress(gateway.address)) return
    const happening = from.port === NAT_PMP_PORT ? readAnswer(bytes) : readDevice(bytes, gateway)
    if (happening === undefined) return
    this.#noteEpoch(happening, now)
    if (this.#wanted?.kind === 'answer') this.#resume(happening)
  }

  /** Hears how a fetch ended: with what came, or `undefined` when it failed in any way. */
  handleFetched(fetch: number, response: GatewayResponse | undefined, now: number): void {
    this.#now = now
    if (fetch === this.#fetch && this.#wanted?.kind === 'fetch') this.#resume({ kind: 'fetched', response })
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    this.#now = now
    if (now >= this.#deadline) this.#end(undefined)
    if (this.#wanted?.kind === 'answer' && now >= this.#wanted.until) this.#resume({ kind: 'timeout' })
    if (this.#mapping !== undefined && now >= this.#mapping.expiresAt) this.#replace(undefined)
    if (now >= this.#checkAt) this.#checkEpoch(now)
    if (now >= this.#askAt && this.#gateway !== undefined) this.#begin(this.#gateway, now)
  }

  /** Hears that the machine has slept for so many milliseconds, of which the clock may know nothing: the gateway does. */
  handleWake(slept: number, now: number): void {
    const mapping = this.#mapping
    if (mapping !== undefined) this.#mapping = { ...mapping, expiresAt: mapping.expiresAt - slept }
    if (this.#gateway !== undefined && this.#dialogue === undefined) this.#askAt = now
    this.handleTimeout(now)
  }

  /** Takes the mapping back, without waiting for the answer, and asks for no other until {@link setNetwork}. */
  release(now: number): void {
    this.#now = now
    const [gateway, mapping] = [this.#gateway, this.#mapping]
    this.#stop()
    this.#askAt = Infinity
    this.#checkAt = Infinity
    this.#gateway = undefined
    if (gateway === undefined || mapping === undefined) return
    this.#replace(undefined)
    if ('upnp' in mapping)
      return void this.#out.push({ kind: 'fetch', fetch: 0, request: upnpRelease(mapping) })
    const { external, service } = mapping
    this.#send(
      { address: gateway.address, port: NAT_PMP_PORT },
      service === 'nat-pmp'
        ? encodePmpMapRequest(this.#port, 0, 0)
        : encodePcpMapRequest({
            client: gateway.self,
            nonce: this.#nonce,
            internalPort: this.#port,
            externalPort: external.port,
            externalAddress: external.address,
            lifetime: 0,
          }),
    )
  }

  /** Returns the next thing to do. */
  poll(): PortMapperOutput | undefined {
    return this.#out.shift()
  }

  /** Returns when to call {@link PortMapper.handleTimeout}. */
  pollTimeout(): number {
    const answerBy = this.#wanted?.kind === 'answer' ? this.#wanted.until : Infinity
    const expiresAt = this.#mapping?.expiresAt ?? Infinity
    return Math.min(answerBy, expiresAt, this.#deadline, this.#askAt, this.#checkAt)
  }

  #begin(gateway: Gateway, now: number): void {
    this.#askAt = Infinity
    this.#deadline = now + ATTEMPT_TIMEOUT
    const setting: Setting = {
      gateway,
      port: this.#port,
      previous: this.#mapping,
      nonce: this.#nonce,
      random: this.#random,
      send: (to, bytes) => this.#send(to, bytes),
      now: () => this.#now,
    }
    this.#dialogue = this.#obtain(setting)
    this.#follow(this.#dialogue.next())
  }

  *#obtain(setting: Setting): Dialogue<PortMapping | undefined> {
    const found = yield* discover(setting)
    this.#services = { natPmp: found.natPmp, pcp: found.pcp, upnp: found.devices.length > 0 }
    return (
      (found.natPmp ? yield* askNatPmp(setting, found.external) : undefined) ??
      (found.pcp ? yield* askPcp(setting) : undefined) ??
      (yield* askUpnp(setting, found.devices))
    )
  }

  #resume(happening: Happening): void {
    this.#wanted = undefined
    if (this.#dialogue !== undefined) this.#follow(this.#dialogue.next(happening))
  }

  #follow(step: IteratorResult<Wanted, PortMapping | undefined>): void {
    if (step.done === true) return this.#end(step.value)
    this.#wanted = step.value
    if (step.value.kind !== 'fetch') return
    this.#fetch += 1
    this.#out.push({ kind: 'fetch', fetch: this.#fetch, request: step.value.request })
  }

  /** An attempt is over. Without a mapping the old one stays until its time is up. */
  #end(mapping: PortMapping | undefined): void {
    this.#stop()
    if (mapping !== undefined) this.#replace(mapping)
    const left = (this.#mapping?.expiresAt ?? Infinity) - this.#now
    this.#askAt = this.#now + (left === Infinity ? this.#retryAfter : Math.max(left / 2, MIN_RENEW_INTERVAL))
    const longer = Math.min(this.#retryAfter * 2, RETRY_INTERVAL)
    this.#retryAfter = left === Infinity ? longer : FIRST_RETRY_INTERVAL
    const hasEpoch = this.#mapping !== undefined && this.#mapping.service !== 'upnp'
    if (hasEpoch) this.#planCheck(this.#now)
    else this.#checkAt = Infinity
  }

  #stop(): void {
    this.#dialogue = undefined
    this.#wanted = undefined
    this.#deadline = Infinity
  }

  #replace(mapping: PortMapping | undefined): void {
    const before = this.#mapping
    this.#mapping = mapping
    if (before !== undefined && mapping !== undefined && endpointsEqual(before.external, mapping.external))
      return
    this.#out.push({ kind: 'event', event: 'mapping', mapping })
  }

  /** A gateway that has started anew knows nothing of our mapping: ask again, for the same port. */
  #noteEpoch(happening: Happening, now: number): void {
    if (happening.kind !== 'nat-pmp' && happening.kind !== 'pcp') return
    const watch = happening.kind === 'nat-pmp' ? this.#pmpEpoch : this.#pcpEpoch
    const lost = watch.note(happening.response.epoch, now)
    if (this.#mapping?.service !== happening.kind || this.#dialogue !== undefined) return
    this.#planCheck(now)
    if (!lost) return
    const next = this.#losses.take(now) ? now : now + MIN_RENEW_INTERVAL
    this.#askAt = Math.min(this.#askAt, next)
  }

  #planCheck(now: number): void {
    this.#checkAt = now + EPOCH_CHECK_INTERVAL
    this.#recheckAfter = RESPONSE_WAIT
  }

  /** An answer puts the next check off; without one the question may be lost, and is soon said again. */
  #checkEpoch(now: number): void {
    this.#checkAt = now + this.#recheckAfter
    this.#recheckAfter = Math.min(this.#recheckAfter * 2, EPOCH_CHECK_INTERVAL)
    if (this.#gateway === undefined || this.#dialogue !== undefined) return
    const { address, self } = this.#gateway
    const isPmp = this.#mapping?.service === 'nat-pmp'
    this.#send({ address, port: NAT_PMP_PORT }, isPmp ? encodePmpAddressRequest() : encodePcpAnnounce(self))
  }

  #send(to: Endpoint, bytes: Uint8Array): void {
    this.#out.push({ kind: 'datagram', to, bytes })
  }
}

function readAnswer(bytes: Uint8Array): Happening | undefined {
  const pmp = decodePmpResponse(bytes)
  if (pmp !== undefined) return { kind: 'nat-pmp', response: pmp }
  const pcp = decodePcpResponse(bytes)
  return pcp === undefined ? undefined : { kind: 'pcp', response: pcp }
}

function readDevice(bytes: Uint8Array, gateway: Gateway): Happening | undefined {
  const device = decodeSsdpAnswer(bytes, gateway.address)
  return device === undefined ? undefined : { kind: 'upnp', device }
}

function isHomeRouter({ address, self }: Gateway): boolean {
  return address.length === 4 && self.length === 4 && isPrivate(address)
}

function sameGateway(a: Gateway | undefined, b: Gateway | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return textOf(a) === textOf(b)
}

function textOf({ address, self }: Gateway): string {
  return `${formatAddress(address)} ${formatAddress(self)}`
}
