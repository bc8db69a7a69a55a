// The UDP path that a peer's packets take: how it becomes another one, and how far it is believed in.
import { type Hop, sameHop } from './hop.ts'
import { sameKey } from './key-table.ts'
import { betterAddr, isDirect, type Path } from './path.ts'
import { Trust, type TrustKeeper } from './trust.ts'

/** Holds the best of a peer's paths. */
export class BestPath {
  readonly #onChange: () => void
  readonly #trust: Trust
  #path: Path | undefined

  /** @param onChange - Hears that it is another one, or none. */
  constructor(keeper: TrustKeeper, onChange: () => void) {
    this.#trust = new Trust(keeper)
    this.#onChange = onChange
  }

  /** The path, trusted or not: direct, or through a peer relay. */
  get path(): Path | undefined {
    return this.#path
  }

  /** Tells whether it is enough by itself. */
  isTrusted(now: number): boolean {
    return this.#path !== undefined && this.#trust.holds(now)
  }

  /** Tells whether nothing better is to be looked for at every packet: it is direct and trusted. */
  isSettled(now: number): boolean {
    return this.isTrusted(now) && isDirect(this.#path!)
  }

  /** Tells whether it is trusted, and time to ask for another sign of life. */
  isFading(now: number): boolean {
    return this.isTrusted(now) && this.#trust.isFading(now)
  }

  /** Tells whether the path is by this hop. */
  isBy(hop: Hop): boolean {
    return this.#path !== undefined && sameHop(this.#path.endpoint, hop)
  }

  /** Takes a pong that came by the path itself; `undefined` for a latency that says nothing of others'. */
  confirm(latency: number | undefined, mtu: number, now: number): void {
    const path = this.#path
    if (path === undefined) return
    const isTrusted = this.isTrusted(now)
    this.#path = {
      ...path,
      latency: latency ?? path.latency,
      mtu: isTrusted ? Math.max(mtu, path.mtu) : mtu,
    }
    this.#trust.prove(now)
  }

  /**
   * Takes a path that has been seen to carry. Returns whether it is the path now: when it is better or the present one not
   * believed in; of one peer relay the new tunnel always, for the relay may forward from our new address only.
   */
  offer(path: Path, now: number): boolean {
    const server = this.#path?.server
    const isSameRelay = server !== undefined && path.server !== undefined && sameKey(server, path.server)
    if (this.isTrusted(now) && !isSameRelay && !betterAddr(path, this.#path)) return false
    this.#path = path
    this.#trust.prove(now)
    this.#onChange()
    return true
  }

  /** Hears that something authentic has come from there. */
  sustain(from: Hop, now: number): void {
    if (this.isBy(from)) this.#trust.sustain(now)
  }

  /** Believes in it no more until it answers. */
  doubt(): void {
    this.#trust.end()
  }

  /** Gives it up. */
  clear(): void {
    if (this.#path === undefined) return
    this.#path = undefined
    this.#trust.end()
    this.#onChange()
  }
}
