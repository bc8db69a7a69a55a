// A coordinator under a clock one turns, and machines that talk to it without sockets.

import { createHash } from 'node:crypto'
import { seededRandom } from '@mesh/sansio'
import type { DERPMap, MapRequest, MapResponse, RegisterRequest, RegisterResponse } from '@mesh/wire/control'
import { decodeMapRequest, decodeRegisterRequest, LOGOUT_EXPIRY } from '@mesh/wire/control'
import type { CoordinatorOptions, CoordinatorOutput, NewPreAuthKey } from '../src/index.ts'
import { Coordinator, MemoryStore, relayMap } from '../src/index.ts'

export const DERP_MAP: DERPMap = relayMap([{ host: '127.0.0.1', port: 3340, stunPort: 3478, insecure: true }])
/** 2026-01-01T00:00:00Z */
export const EPOCH = Date.UTC(2026, 0, 1)

/** A coordinator, its clock, its store that never fails, and what it said. Worlds with one store are servers of one network. */
export class World {
  readonly coordinator: Coordinator
  readonly #store: MemoryStore
  readonly outputs: CoordinatorOutput[] = []
  now = 1000
  /** By how much somebody has set the wall clock, milliseconds; the monotonic one does not follow. */
  wallSet: number
  #exchange = 0

  constructor({
    store = new MemoryStore(),
    wallSet = 0,
    ...options
  }: Partial<CoordinatorOptions> & { store?: MemoryStore; wallSet?: number } = {}) {
    this.#store = store
    this.wallSet = wallSet
    this.coordinator = new Coordinator({
      records: store.read(0),
      server: 'here',
      serverUrl: 'http://127.0.0.1:8080',
      derpMap: DERP_MAP,
      baseDomain: 'mesh.internal',
      wallClock: () => this.wall,
      random: seededRandom(7),
      hash: (secret) => new Uint8Array(createHash('sha256').update(secret).digest()),
      now: this.now,
      ...options,
    })
  }

  get wall(): number {
    return EPOCH + this.now + this.wallSet
  }

  /** The store, with everything in it that was changed. */
  get store(): MemoryStore {
    this.#commit()
    return this.#store
  }

  /** Turns the clock, doing on the way what is due. */
  advance(by: number): void {
    const { coordinator } = this
    const end = this.now + by
    const next = (): number => Math.min(coordinator.pollTimeout(), coordinator.streams.pollTimeout())
    this.collect()
    for (let at = next(); at <= end; at = next()) {
      this.now = Math.max(this.now, at)
      this.catchUp()
      if (coordinator.pollTimeout() <= this.now) coordinator.handleTimeout(this.now)
      this.collect()
      if (coordinator.streams.pollTimeout() <= this.now) coordinator.streams.handleTimeout(this.now)
      this.collect()
    }
    this.now = end
  }

  /** Stores what was changed, and notes what came out; a stream that wants its snapshot gets it. */
  collect(): void {
    this.#commit()
    for (let output = this.coordinator.poll(); output; output = this.coordinator.poll()) {
      const response = output.kind === 'open' && this.coordinator.streams.snapshot(output.exchange, this.now)
      if (output.kind !== 'open') this.outputs.push(output)
      else if (response) this.outputs.push({ kind: 'map-response', exchange: output.exchange, response })
    }
  }

  /** Takes what other worlds with the same store changed. */
  catchUp(): void {
    this.#commit()
    if (this.#store.version === this.coordinator.version) return
    this.coordinator.takeNews(this.#store.read(this.coordinator.version), this.now)
    this.collect()
  }

  #commit(): void {
    const writes = this.coordinator.writes()
    if (writes) this.coordinator.confirm(this.#store.write(writes))
  }

  user(name: string): void {
    this.coordinator.accounts.createUser({ name })
  }

  key(options: NewPreAuthKey): string {
    return this.coordinator.accounts.createPreAuthKey(options).text
  }

  machine(number: number): MachineFake {
    return new MachineFake(this, number)
  }

  nextExchange(): number {
    return (this.#exchange += 1)
  }

  /** Everything said to one exchange. */
  said(exchange: number): CoordinatorOutput[] {
    this.collect()
    return this.outputs.filter((output) => 'exchange' in output && output.exchange === exchange)
  }

  mapsOf(exchange: number): MapResponse[] {
    return this.said(exchange).flatMap((output) => (output.kind === 'map-response' ? [output.response] : []))
  }
}

export const hexOf = (number: number): string => number.toString(16).padStart(64, '0')

/** A machine: its keys are numbers, written as text. */
export class MachineFake {
  readonly world: World
  readonly machineKey: string
  nodeKey: string
  discoKey: string

  constructor(world: World, number: number) {
    this.world = world
    this.machineKey = `mkey:${hexOf(number)}`
    this.nodeKey = `nodekey:${hexOf(number * 1000)}`
    this.discoKey = `discokey:${hexOf(number * 1000 + 1)}`
  }

  /** Sends a register request; returns its exchange. */
  register(change: Record<string, unknown> = {}, address?: string): number {
    const exchange = this.world.nextExchange()
    const request = decodeRegisterRequest({
      Version: 138,
      NodeKey: this.nodeKey,
      Hostinfo: { Hostname: `box-${Number.parseInt(this.machineKey.slice(5), 16)}`, OS: 'linux' },
      ...change,
    }) as RegisterRequest
    this.world.coordinator.handleRegister(exchange, this.machineKey, request, this.world.now, address)
    return exchange
  }

  /** Registers and returns the answer, which must have come at once. */
  login(authKey?: string, change: Record<string, unknown> = {}): RegisterResponse {
    const auth = authKey === undefined ? {} : { Auth: { AuthKey: authKey } }
    const [output] = this.world.said(this.register({ ...auth, ...change }))
    if (output?.kind !== 'register-response') throw new Error(`no answer: ${JSON.stringify(output)}`)
    return output.response
  }

  logout(): RegisterResponse {
    return this.login(undefined, { Expiry: LOGOUT_EXPIRY })
  }

  /** Sends a map request; returns its exchange. */
  map(change: Record<string, unknown> = {}): number {
    const exchange = this.world.nextExchange()
    const request = decodeMapRequest({
      Version: 138,
      Compress: 'zstd',
      KeepAlive: true,
      NodeKey: this.nodeKey,
      DiscoKey: this.discoKey,
      ...change,
    }) as MapRequest
    this.world.coordinator.handleMap(exchange, this.machineKey, request, this.world.now)
    return exchange
  }

  /** Opens the map stream; returns its exchange. */
  stream(change: Record<string, unknown> = {}): number {
    const exchange = this.map({ Stream: true, ...change })
    this.world.collect()
    return exchange
  }

  /** Tells the server something. */
  tell(change: Record<string, unknown>): number {
    return this.map({ OmitPeers: true, ...change })
  }

  gone(exchange: number): void {
    this.world.coordinator.handleGone(exchange, this.world.now)
  }
}

/** Lets in a machine of `ann`, and has it tell its disco key, relay and one endpoint. */
export function joined(world: World, number: number, user = 'ann'): MachineFake {
  if (!world.coordinator.accounts.users().some((each) => each.name === user)) world.user(user)
  const machine = world.machine(number)
  machine.login(world.key({ user }))
  machine.tell({
    Hostinfo: { Hostname: `box-${number}`, OS: 'linux', NetInfo: { PreferredDERP: 900 } },
    Endpoints: [`192.0.2.${number}:41641`],
  })
  return machine
}
