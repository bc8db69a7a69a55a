// Snapshots are large, and when a server starts everybody wants one. They are made one after the other, only so many
// bytes of them are on their way at once, and everything else has its turn in between.

/** The most bytes of snapshots on their way. */
const MAX_UNDER_WAY = 64 << 20

/** How long to wait when none may be made at the moment, milliseconds. */
const RETRY_AFTER = 2

/** How snapshots are made. */
export interface SnapshotsOptions {
  /** Tells whether one may be made now. */
  readonly mayMake: () => boolean
  /** Makes and sends one. Returns its bytes, and says when they are written. */
  readonly make: (exchange: number, onWritten: () => void) => number
}

/** Makes snapshots when there is room. */
export class Snapshots {
  readonly #options: SnapshotsOptions
  readonly #waiting = new Set<number>()
  #underWay = 0
  #cancelNext: (() => void) | undefined

  constructor(options: SnapshotsOptions) {
    this.#options = options
  }

  /** Lines an exchange up. */
  add(exchange: number): void {
    this.#waiting.add(exchange)
    this.#wake()
  }

  /** Forgets an exchange. */
  delete(exchange: number): void {
    this.#waiting.delete(exchange)
  }

  /** Makes no more. */
  close(): void {
    this.#waiting.clear()
    this.#cancelNext?.()
  }

  #wake(): void {
    if (this.#cancelNext || this.#waiting.size === 0 || this.#underWay >= MAX_UNDER_WAY) return
    const next = (): void => {
      this.#cancelNext = undefined
      if (this.#options.mayMake()) this.#makeOne()
      this.#wake()
    }
    if (this.#options.mayMake()) {
      const immediate = setImmediate(next)
      this.#cancelNext = () => clearImmediate(immediate)
    } else {
      const timer = setTimeout(next, RETRY_AFTER)
      this.#cancelNext = () => clearTimeout(timer)
    }
  }

  #makeOne(): void {
    const [exchange] = this.#waiting
    if (exchange === undefined) return
    this.#waiting.delete(exchange)
    let bytes = 0
    let isWritten = false
    const onWritten = (): void => {
      if (isWritten) return
      isWritten = true
      this.#underWay -= bytes
      this.#wake()
    }
    const length = this.#options.make(exchange, onWritten)
    if (isWritten) return
    bytes = length
    this.#underWay += bytes
  }
}
