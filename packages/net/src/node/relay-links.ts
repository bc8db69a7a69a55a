// The relay connections that magicsock asks for, made from the map of the moment. When a region's servers change,
// its connection is made anew behind the same link.
import { connectDerp, type DerpConnection, type DerpConnectionOptions } from '@mesh/derp-client/node'
import type { RelayHandlers, RelayLink } from '@mesh/magicsock/node'
import type { DERPMap, DERPRegion } from '@mesh/wire/control'

/** What every connection to a relay is made with. */
export type RelayConnectionOptions = Pick<DerpConnectionOptions, 'privateKey' | 'plain' | 'x25519'>

/** Connects to a region; the seat for `connectDerp`. */
export type ConnectRelay = (
  options: RelayConnectionOptions & { readonly region: DERPRegion; readonly preferred: boolean },
) => DerpConnection

/** Makes and keeps the connections to relay regions. */
export class RelayLinks {
  readonly #options: RelayConnectionOptions
  readonly #connect: ConnectRelay
  readonly #onTrouble: (region: string, message: string) => void
  readonly #links = new Map<number, Link>()
  #derpMap: DERPMap | undefined

  /** The private key in `options` is the node's; kept, not copied. */
  constructor(
    options: RelayConnectionOptions,
    onTrouble: (region: string, message: string) => void,
    connect: ConnectRelay = connectDerp,
  ) {
    this.#options = options
    this.#onTrouble = onTrouble
    this.#connect = connect
  }

  /** Takes the relays of a new map. */
  update(derpMap: DERPMap | undefined): void {
    this.#derpMap = derpMap
    for (const [region, link] of this.#links) link.use(this.#regionOf(region))
  }

  /**
   * Makes connections anew since the network is another one: all of them when those before are dead without a word
   * (`isLost`), else those that are trying.
   */
  renew(isLost: boolean): void {
    for (const link of this.#links.values()) if (isLost || !link.connected) link.renew()
  }

  /** The relays of the map. */
  get derpMap(): DERPMap | undefined {
    return this.#derpMap
  }

  /** Connects to a region, for magicsock. */
  connect(region: number, handlers: RelayHandlers): RelayLink {
    const open = (of: DERPRegion, preferred: boolean): DerpConnection =>
      this.#connect({ ...this.#options, region: of, preferred })
    const link = new Link(open, handlers, this.#onTrouble, () => this.#links.delete(region))
    this.#links.set(region, link)
    link.use(this.#regionOf(region))
    return link
  }

  #regionOf(region: number): DERPRegion | undefined {
    return this.#derpMap?.Regions?.[String(region)]
  }
}

class Link implements RelayLink {
  readonly #connect: (region: DERPRegion, preferred: boolean) => DerpConnection
  readonly #handlers: RelayHandlers
  readonly #onTrouble: (region: string, message: string) => void
  readonly #onClose: () => void
  #region: DERPRegion | undefined
  /** The region as text, to tell whether it has changed. */
  #text: string | undefined
  #connection: DerpConnection | undefined
  #preferred = false

  constructor(
    connect: (region: DERPRegion, preferred: boolean) => DerpConnection,
    handlers: RelayHandlers,
    onTrouble: (region: string, message: string) => void,
    onClose: () => void,
  ) {
    this.#connect = connect
    this.#handlers = handlers
    this.#onTrouble = onTrouble
    this.#onClose = onClose
  }

  get connected(): boolean {
    return this.#connection?.connected ?? false
  }

  use(region: DERPRegion | undefined): void {
    const text = region && JSON.stringify(region)
    if (text === this.#text) return
    this.#text = text
    this.#region = region
    this.#connection?.close()
    this.#connection = region && this.#open(region)
  }

  renew(): void {
    this.#connection?.close()
    this.#handlers.onLost()
    this.#connection = this.#region && this.#open(this.#region)
  }

  send(to: Uint8Array, bytes: Uint8Array): void {
    this.#connection?.send(to, bytes)
  }

  notePreferred(preferred: boolean): void {
    this.#preferred = preferred
    this.#connection?.notePreferred(preferred)
  }

  noteNetworkChange(): void {
    this.#connection?.ping()
  }

  close(): void {
    this.#connection?.close()
    this.#connection = undefined
    this.#onClose()
  }

  #open(region: DERPRegion): DerpConnection {
    const connection = this.#connect(region, this.#preferred)
    connection.onPacket((source, packet) => this.#handlers.onPacket(source, packet))
    connection.onPeerGone((nodeKey) => this.#handlers.onPeerGone(nodeKey))
    connection.onEvent((event) => {
      // Whatever a relay says, it is there; packets say so by themselves.
      if (event.event !== 'disconnected') return this.#handlers.onAlive()
      this.#handlers.onLost()
      this.#onTrouble(region.RegionCode, event.error.message)
    })
    return connection
  }
}
