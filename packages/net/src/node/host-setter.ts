// Setting the host's network as each map asks, one change after the other: the programs that do it wait for each other's locks.
import type { HostRoutes } from '../eligible-routes.ts'

/** What is done on the host, and who hears of it. */
export interface HostSetting {
  /** Sets addresses and routes; nothing is done when left out. */
  readonly set: ((routes: HostRoutes) => Promise<void> | void) | undefined
  /** Hears that they are set, or that it was tried. */
  readonly onDone: () => void
  readonly onFailure: (error: unknown) => void
}

/** Sets the host's network. */
export class HostSetter {
  readonly #setting: HostSetting
  #turn: Promise<void> = Promise.resolve()
  #isSet = false
  #isClosed = false

  constructor(setting: HostSetting) {
    this.#setting = setting
  }

  /** Whether the first change is done. */
  get isSet(): boolean {
    return this.#isSet
  }

  /** Resolves when all that was asked for so far is done. */
  get done(): Promise<void> {
    return this.#turn
  }

  /** Asks for addresses and routes. */
  set(routes: HostRoutes): void {
    const { set, onDone, onFailure } = this.#setting
    this.#turn = this.#turn
      .then(() => (this.#isClosed ? undefined : set?.(routes)))
      .catch(onFailure)
      .then(() => {
        this.#isSet = true
        onDone()
      })
  }

  /** Nothing that has not begun is done any more. */
  close(): void {
    this.#isClosed = true
  }
}
