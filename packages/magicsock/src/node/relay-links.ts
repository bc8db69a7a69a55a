// The relay links that are open, and the few packets that came before their link.
import type { RelayHandlers, RelayLink } from './open-magicsock.ts'

/** How many packets wait for a link; then the oldest go (data-plane.md section 2.14). */
const MAX_WAITING = 32

interface Waiting {
  readonly to: Uint8Array
  readonly bytes: Uint8Array
}

/** Opens, feeds and closes links as the machine says. */
export class RelayLinks {
  readonly #connect: ((region: number, handlers: RelayHandlers) => RelayLink) | undefined
  readonly #handlersFor: (region: number) => RelayHandlers
  readonly #links = new Map<number, RelayLink>()
  readonly #waiting = new Map<number, Waiting[]>()

  constructor(
    connect: ((region: number, handlers: RelayHandlers) => RelayLink) | undefined,
    handlersFor: (region: number) => RelayHandlers,
  ) {
    this.#connect = connect
    this.#handlersFor = handlersFor
  }

  /** Sends through a region. Before its link is open a copy waits. */
  send(region: number, to: Uint8Array, bytes: Uint8Array): void {
    const link = this.#links.get(region)
    if (link !== undefined) return link.send(to, bytes)
    const waiting = this.#waiting.get(region) ?? []
    waiting.push({ to, bytes: bytes.slice() })
    if (waiting.length > MAX_WAITING) waiting.shift()
    this.#waiting.set(region, waiting)
  }

  /** Opens a link and sends what has waited for it. */
  open(region: number, isHome: boolean): void {
    const link = this.#links.get(region) ?? this.#connect?.(region, this.#handlersFor(region))
    const waiting = this.#waiting.get(region) ?? []
    this.#waiting.delete(region)
    if (link === undefined) return
    this.#links.set(region, link)
    link.notePreferred(isHome)
    for (const { to, bytes } of waiting) link.send(to, bytes)
  }

  /** Tells every relay whether it is home. */
  noteHome(home: number): void {
    for (const [region, link] of this.#links) link.notePreferred(region === home)
  }

  /** Has every link see whether it still lives. */
  noteNetworkChange(): void {
    for (const link of this.#links.values()) link.noteNetworkChange?.()
  }

  /** Closes one link. */
  close(region: number): void {
    this.#links.get(region)?.close()
    this.#links.delete(region)
    this.#waiting.delete(region)
  }

  /** Closes all. */
  closeAll(): void {
    for (const region of this.#links.keys()) this.close(region)
  }
}
