// The external ports of a NAT and what each stands for.
import type { RandomSource } from '@mesh/sansio'

const FIRST_PORT = 1024
const PORTS = 65_536 - FIRST_PORT

/** Ports and their owners. */
export class PortTable<T> {
  readonly #random: RandomSource
  readonly #choice: 'random' | 'preserve'
  readonly #byPort = new Map<number, T>()

  constructor(random: RandomSource, choice: 'random' | 'preserve') {
    this.#random = random
    this.#choice = choice
  }

  /** Returns the owner of a port. */
  get(port: number): T | undefined {
    return this.#byPort.get(port)
  }

  /** Gives a port to an owner, whoever had it. */
  put(port: number, owner: T): void {
    this.#byPort.set(port, owner)
  }

  /** Forgets all owners. */
  clear(): void {
    this.#byPort.clear()
  }

  /** Returns a port whose owner is no longer alive, or that has none; `undefined` when all are in use. */
  free(wanted: number, isAlive: (owner: T) => boolean): number | undefined {
    const isFree = (port: number): boolean => {
      const owner = this.#byPort.get(port)
      return owner === undefined || !isAlive(owner)
    }
    if (this.#choice === 'preserve' && isFree(wanted)) return wanted
    const [high = 0, low = 0] = this.#random(2)
    for (let i = 0; i < PORTS; i += 1) {
      const port = FIRST_PORT + ((high * 256 + low + i) % PORTS)
      if (isFree(port)) return port
    }
    return undefined
  }
}
