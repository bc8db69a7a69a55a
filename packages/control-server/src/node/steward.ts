// Keeps a coordinator going: runs what is due, when it may; says every few seconds that this server is alive; fetches what
// other servers wrote. A store that fails for a while ends nothing: what was due is tried again a little later.

import type { Clock } from '@mesh/sansio'
import { CommandQueue } from '../command-queue.ts'
import type { CoordinatorOutput } from '../coordinator-output.ts'
import type { Coordinator } from '../coordinator.ts'
import type { Store } from '../store.ts'
import type { ControlLogger } from './logger.ts'

/** How often a server says that it is alive, milliseconds. */
const ATTEND_INTERVAL = 5000
/** How long to wait after a failure of the store, milliseconds. */
const RETRY_AFTER = 1000

/** What a steward works with. */
export interface StewardOptions {
  readonly coordinator: Coordinator
  readonly store: Store
  /** The name of this server. */
  readonly server: string
  readonly logger: ControlLogger
  readonly clock: Clock
  /** Does one output. */
  readonly perform: (output: CoordinatorOutput) => void
}

/** Drives a coordinator. */
export class Steward {
  /** Where commands go. */
  readonly queue: CommandQueue
  readonly #options: StewardOptions
  readonly #unwatch: () => void
  #servers = ''
  #cancelTimer: (() => void) | undefined
  #cancelAttend: (() => void) | undefined
  #armedFor = Infinity
  #notBefore = -Infinity
  #isDue = false
  #news: Promise<void> | undefined
  /** The newest version heard of while news were being fetched. */
  #newest = -Infinity
  #closed = false

  constructor(options: StewardOptions) {
    const { coordinator, store, clock, perform } = options
    this.#options = options
    // What came over all sockets in this round of the event loop becomes one transaction, which waits for the disk once.
    const gather = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    this.queue = new CommandQueue({ coordinator, store, perform, gather, now: () => clock.now() })
    this.#unwatch = store.watch((version) => this.#fetch(version))
    this.#attendLater()
    this.wake()
  }

  /** Does what the coordinator has to say, and sets the timer for what is due next. Call it after every input. */
  wake(): void {
    if (this.#closed) return
    const { coordinator, perform } = this.#options
    // In the middle of a transaction outputs belong to it; it wakes this when it is over.
    if (!this.queue.isWriting)
      for (let output = coordinator.poll(); output; output = coordinator.poll()) perform(output)
    this.#arm()
  }

  /** Stops, and says that this server is gone. */
  async close(): Promise<void> {
    const { store, server, logger } = this.#options
    this.#closed = true
    this.#cancelTimer?.()
    this.#cancelAttend?.()
    this.#unwatch()
    await this.queue.settle()
    await store.leave(server).catch((error: unknown) => logger.warn(reason(error), 'the goodbye failed'))
  }

  #arm(): void {
    const { coordinator, clock } = this.#options
    // While writes are under way the streams wait; while the coordinator is at work, so does what is due.
    const streams = this.queue.isWriting ? Infinity : coordinator.streams.pollTimeout()
    const due = this.#isDue ? Infinity : Math.max(coordinator.pollTimeout(), this.#notBefore)
    const at = Math.min(streams, due)
    if (at === this.#armedFor) return
    this.#cancelTimer?.()
    this.#armedFor = at
    this.#cancelTimer = at === Infinity ? undefined : clock.at(Math.max(at, clock.now()), () => this.#fire())
  }

  #fire(): void {
    this.#armedFor = Infinity
    this.#cancelTimer = undefined
    const { coordinator, clock } = this.#options
    const now = clock.now()
    if (!this.queue.isWriting && now >= coordinator.streams.pollTimeout())
      coordinator.streams.handleTimeout(now)
    if (!this.#isDue && now >= Math.max(coordinator.pollTimeout(), this.#notBefore)) this.#doWhatIsDue()
    this.wake()
  }

  #doWhatIsDue(): void {
    const { coordinator, clock, logger } = this.#options
    this.#isDue = true
    const over = (): void => {
      this.#isDue = false
      this.wake()
    }
    this.queue
      .run((now) => coordinator.handleTimeout(now))
      .then(over, (error: unknown) => {
        this.#notBefore = clock.now() + RETRY_AFTER
        logger.error(reason(error), 'what was due failed')
        over()
      })
  }

  /** Fetches news up to a version, unless they are known; when there are more by the time they came, once more. */
  #fetch(version = Infinity): void {
    if (this.#closed) return
    if (this.#news) {
      this.#newest = Math.max(this.#newest, version)
      return
    }
    this.#newest = -Infinity
    this.#news = this.queue
      .catchUp(version)
      .catch((error: unknown) => this.#options.logger.warn(reason(error), 'the news cannot be fetched'))
      .then(() => {
        this.#news = undefined
        this.wake()
        if (this.#newest > this.#options.coordinator.version) this.#fetch(this.#newest)
      })
  }

  #attendLater(): void {
    const { clock } = this.#options
    this.#cancelAttend = clock.at(clock.now() + ATTEND_INTERVAL, () => {
      void this.#attend().then(() => {
        if (!this.#closed) this.#attendLater()
      })
    })
  }

  async #attend(): Promise<void> {
    const { coordinator, store, server, logger } = this.#options
    try {
      const { servers, version } = await store.attend(server)
      // Lower when the database was put back to an older state under the servers that use it.
      if (version !== coordinator.version) this.#fetch()
      if (servers.join() === this.#servers) return
      this.#servers = servers.join()
      await this.queue.run((now) => coordinator.handleServers(servers, now))
      this.wake()
    } catch (error) {
      logger.warn(reason(error), 'the store does not hear that this server is alive')
    }
  }
}

function reason(error: unknown): { readonly error: string } {
  return { error: error instanceof Error ? error.message : String(error) }
}
