// Looks every few seconds at what Node tells nobody of: other addresses of this machine, and that it has slept.
import { uptime } from 'node:os'
import type { Clock } from '@mesh/sansio'
import { formatAddress, type IpAddress } from '@mesh/wire/ip'
import { SleepWatch } from '../sleep-watch.ts'

/** How often it is looked. */
export const WATCH_INTERVAL = 5_000

/** What is looked at, and who hears of it. */
export interface HostWatchSettings {
  readonly clock: Clock
  /** Returns the addresses to tell peers of; may throw for a moment. */
  readonly readAddresses: () => IpAddress[]
  /** Returns milliseconds since the system started, sleep included. Default: the system's. */
  readonly readUptime?: (() => number) | undefined
  /** Called at each look, before anything else. */
  readonly onLook: () => Promise<void> | void
  /** Hears of other addresses; `isLost` when one is gone. */
  readonly onAddresses: (addresses: readonly IpAddress[], isLost: boolean) => Promise<void> | void
  /** Hears for how many milliseconds the machine has slept. */
  readonly onWake: (slept: number) => Promise<void> | void
}

/** Watches this machine. */
export class HostWatch {
  readonly #settings: HostWatchSettings
  readonly #readUptime: () => number
  readonly #sleep: SleepWatch
  #addresses: readonly IpAddress[]
  #stopWaiting: () => void = () => undefined
  #stopped = false

  /** Begins. @throws what `readAddresses` throws. */
  constructor(settings: HostWatchSettings) {
    this.#settings = settings
    this.#readUptime = settings.readUptime ?? (() => uptime() * 1_000)
    this.#sleep = new SleepWatch(WATCH_INTERVAL, settings.clock.now(), this.#readUptime())
    this.#addresses = settings.readAddresses()
    this.#wait()
  }

  /** The addresses as last seen. */
  get addresses(): readonly IpAddress[] {
    return this.#addresses
  }

  /** Looks at the addresses now. With `isLost` one was gone, though it may be back. */
  async lookAtAddresses(isLost = false): Promise<void> {
    const before = new Set(this.#addresses.map(formatAddress))
    const addresses = this.#read()
    const after = new Set(addresses.map(formatAddress))
    const lost = isLost || [...before].some((address) => !after.has(address))
    if (!lost && before.size === after.size) return
    this.#addresses = addresses
    await this.#settings.onAddresses(addresses, lost)
  }

  /** Ends. */
  stop(): void {
    this.#stopped = true
    this.#stopWaiting()
  }

  #wait(): void {
    const { clock } = this.#settings
    this.#stopWaiting = clock.at(clock.now() + WATCH_INTERVAL, () => {
      void this.#look().finally(() => {
        if (!this.#stopped) this.#wait()
      })
    })
  }

  async #look(): Promise<void> {
    const { clock, onLook, onWake } = this.#settings
    const slept = this.#sleep.look(clock.now(), this.#readUptime())
    await onLook()
    if (slept > 0 && !this.#stopped) await onWake(slept)
    if (!this.#stopped) await this.lookAtAddresses()
  }

  /** A system that cannot tell its addresses for a moment (it is out of file descriptors) has those it had. */
  #read(): readonly IpAddress[] {
    try {
      return this.#settings.readAddresses()
    } catch {
      return this.#addresses
    }
  }
}
