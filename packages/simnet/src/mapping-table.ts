// The mappings of a NAT: which external port stands for which endpoint inside, towards whom, and for how long.
import type { Clock, RandomSource } from '@mesh/sansio'
import type { Endpoint } from '@mesh/wire/ip'
import type { NatBehaviour, PortChoice } from './behaviour.ts'
import { endpointKey, type Key } from './keys.ts'
import { distinction, Permissions } from './permissions.ts'

const FIRST_PORT = 1024
const PORTS = 65_536 - FIRST_PORT

/** One mapping. */
export interface Mapping {
  /** Whom it stands for. */
  readonly inside: Endpoint
  /** The external port. */
  readonly port: number
  /** Who may come in by it. */
  readonly permissions: Permissions
  /** What its maker told apart by: mappings of one endpoint inside differ in it. */
  readonly towards: Key
  /** Open to all for a fixed time: made by hand, or by a port mapping protocol. */
  readonly isForward: boolean
  expiresAt: number
}

/** What a table is made with. */
export interface MappingRules {
  readonly mapping: NatBehaviour
  readonly filtering: NatBehaviour
  readonly ports: PortChoice
  readonly timeout: number
  readonly inboundRefresh: boolean
}

/** The mappings of one NAT. */
export class MappingTable {
  readonly #rules: MappingRules
  readonly #clock: Clock
  readonly #random: RandomSource
  readonly #byInside = new Map<Key, Map<Key, Mapping>>()
  readonly #byPort = new Map<number, Mapping[]>()
  /** Forwards by the endpoint inside. */
  readonly #forwards = new Map<Key, Mapping>()

  constructor(rules: MappingRules, clock: Clock, random: RandomSource) {
    this.#rules = rules
    this.#clock = clock
    this.#random = random
  }

  /**
   * Returns the mapping for a datagram that goes out, made or refreshed; `undefined` when no port is left. What has a
   * forward leaves by it, whereto it may go (RFC 6887 section 11).
   */
  outbound(inside: Endpoint, destination: Endpoint): Mapping | undefined {
    const now = this.#clock.now()
    const forward = this.#forwards.get(endpointKey(inside))
    if (forward !== undefined && now < forward.expiresAt) return forward
    const mapping = this.#mappingFor(inside, destination, now)
    if (mapping === undefined) return undefined
    mapping.expiresAt = now + this.#rules.timeout
    mapping.permissions.permit(destination, mapping.expiresAt)
    return mapping
  }

  /** Returns the mapping for a datagram that comes in, or why there is none. */
  inbound(port: number, source: Endpoint): Mapping | 'no-mapping' | 'filtered' {
    const now = this.#clock.now()
    const until = now + this.#rules.timeout
    const alive = (this.#byPort.get(port) ?? []).filter((mapping) => now < mapping.expiresAt)
    if (alive.length === 0) return 'no-mapping'
    const mapping = alive.find((each) => each.isForward || each.permissions.allows(source, now))
    if (mapping === undefined) return 'filtered'
    if (this.#rules.inboundRefresh && !mapping.isForward) {
      mapping.expiresAt = until
      mapping.permissions.permit(source, until)
    }
    return mapping
  }

  /** Opens a port to an endpoint inside for everybody until `expiresAt`; what that endpoint had before ends. */
  forward(port: number, inside: Endpoint, expiresAt: number): void {
    const key = endpointKey(inside)
    const before = this.#forwards.get(key)
    if (before?.port === port && this.#clock.now() < before.expiresAt) {
      before.expiresAt = expiresAt
      return
    }
    this.unforward(inside)
    for (const mapping of this.#byInside.get(key)?.values() ?? []) mapping.expiresAt = -Infinity
    const permissions = new Permissions('endpoint-independent')
    const mapping: Mapping = { inside, port, permissions, towards: '', isForward: true, expiresAt }
    this.#byPort.set(port, [mapping])
    this.#forwards.set(key, mapping)
  }

  /** Takes the forward to an endpoint inside back. */
  unforward(inside: Endpoint): void {
    const before = this.#forwards.get(endpointKey(inside))
    if (before !== undefined) before.expiresAt = -Infinity
  }

  /** Returns the port to forward to an endpoint inside: the one it has, the one wanted, or any that is free. */
  portToForward(wanted: number, inside: Endpoint): number | undefined {
    const before = this.#forwards.get(endpointKey(inside))
    if (before !== undefined && this.#clock.now() < before.expiresAt) return before.port
    return wanted !== 0 && this.#isFree(wanted, '') ? wanted : this.#anyPort('')
  }

  /** Forgets everything. */
  clear(): void {
    this.#byInside.clear()
    this.#byPort.clear()
    this.#forwards.clear()
  }

  #mappingFor(inside: Endpoint, destination: Endpoint, now: number): Mapping | undefined {
    const towards = distinction(this.#rules.mapping, destination)
    const known = this.#byInside.get(endpointKey(inside))?.get(towards)
    return known !== undefined && now < known.expiresAt ? known : this.#make(inside, towards, now)
  }

  #make(inside: Endpoint, towards: Key, now: number): Mapping | undefined {
    const port = this.#choosePort(inside.port, towards)
    if (port === undefined) return undefined
    const permissions = new Permissions(this.#rules.filtering)
    const mapping: Mapping = { inside, port, permissions, towards, isForward: false, expiresAt: now }
    const key = endpointKey(inside)
    const mine = this.#byInside.get(key) ?? new Map<Key, Mapping>()
    this.#byInside.set(key, mine.set(towards, mapping))
    const others = (this.#byPort.get(port) ?? []).filter((other) => now < other.expiresAt)
    this.#byPort.set(port, [...others, mapping])
    return mapping
  }

  #choosePort(wanted: number, towards: Key): number | undefined {
    return this.#rules.ports !== 'random' && this.#isFree(wanted, towards) ? wanted : this.#anyPort(towards)
  }

  #anyPort(towards: Key): number | undefined {
    const [high = 0, low = 0] = this.#random(2)
    for (let i = 0; i < PORTS; i += 1) {
      const port = FIRST_PORT + ((high * 256 + low + i) % PORTS)
      if (this.#isFree(port, towards)) return port
    }
    return undefined
  }

  #isFree(port: number, towards: Key): boolean {
    const now = this.#clock.now()
    const shares = this.#rules.ports === 'overload'
    return !(this.#byPort.get(port) ?? []).some((other) => {
      return now < other.expiresAt && (!shares || other.isForward || other.towards === towards)
    })
  }
}
