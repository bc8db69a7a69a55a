// Between the coordinator and its store: commands wait here, and those that wait together become one transaction. What
// the coordinator says in it is done only when it is stored, so that nothing is acknowledged that could be lost; when it
// cannot be stored, everything is taken back and every command of it fails. While writes are under way nothing goes out
// to map streams, for they must not tell what may yet be taken back.

import type { CoordinatorOutput } from './coordinator-output.ts'
import type { Coordinator } from './coordinator.ts'
import { ControlError } from './errors.ts'
import type { Store } from './store.ts'

/** The most commands of one transaction: enough to share its cost, few enough for others to have their turn. */
const MAX_TOGETHER = 256

/** What a request is told that cannot be done at the moment. */
export const TRY_AGAIN = 'the server cannot do this right now'

/** What a queue works with. */
export interface CommandQueueOptions {
  readonly coordinator: Coordinator
  readonly store: Store
  /** Does one output. */
  readonly perform: (output: CoordinatorOutput) => void
  /** Returns monotonic milliseconds. */
  readonly now: () => number
  /** Waits until the commands that come in this moment are there; without it only those of one uninterrupted step are. */
  readonly gather?: () => Promise<void>
}

interface Command {
  readonly run: (now: number) => void
  readonly done: () => void
  readonly failed: (reason: unknown) => void
}

/** Runs commands, one after the other, each in a transaction. */
export class CommandQueue {
  readonly #options: CommandQueueOptions
  #waiting: Command[] = []
  #running: Promise<void> | undefined
  #isWriting = false

  constructor(options: CommandQueueOptions) {
    this.#options = options
  }

  /** Whether records are changed that are not stored yet. */
  get isWriting(): boolean {
    return this.#isWriting
  }

  /**
   * Runs `work`, which may change records but must not wait. Resolves with what it returned when its changes are stored
   * and what came of them is done. Rejects with what it threw, or with why its changes could not be stored; then none of
   * them happened.
   */
  run<T>(work: (now: number) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let result: T
      this.#waiting.push({
        run: (now) => {
          result = work(now)
        },
        done: () => resolve(result),
        failed: reject,
      })
      this.#start()
    })
  }

  /**
   * Takes what others wrote. Rejects when the store cannot be asked.
   *
   * @param version - Where it is known by the time its turn comes, the store is not asked.
   */
  async catchUp(version = Infinity): Promise<void> {
    while (this.#running) await this.#running
    if (version <= this.#options.coordinator.version) return
    const turn = this.#readNews()
    this.#running = turn.then(
      () => this.#rest(),
      () => this.#rest(),
    )
    await turn
  }

  /** Waits until nothing is under way. */
  async settle(): Promise<void> {
    while (this.#running) await this.#running
  }

  #start(): void {
    const { gather = () => Promise.resolve() } = this.#options
    this.#running ??= gather()
      .then(() => this.#runTogether())
      .finally(() => this.#rest())
  }

  #rest(): void {
    this.#running = undefined
    if (this.#waiting.length > 0) this.#start()
  }

  async #readNews(): Promise<void> {
    const { coordinator, store, now } = this.#options
    const news = await store.since(coordinator.version)
    if (news.version === coordinator.version) return
    coordinator.takeNews(news, now())
    this.#perform(this.#take())
  }

  async #runTogether(): Promise<void> {
    const { coordinator, store, now } = this.#options
    const commands = this.#waiting.splice(0, MAX_TOGETHER)
    const stored: Command[] = []
    const heard: CoordinatorOutput[] = []
    const held: CoordinatorOutput[] = []
    try {
      const version = await store.transact(coordinator.version, (news) => {
        this.#isWriting = true
        if (news) coordinator.takeNews(news, now())
        heard.push(...this.#take())
        for (const command of commands) if (this.#attempt(command, held)) stored.push(command)
        return coordinator.writes()
      })
      coordinator.confirm(version)
    } catch (error) {
      coordinator.undo(now())
      if (isConflict(error)) coordinator.distrust()
      this.#isWriting = false
      this.#perform(heard)
      this.#perform([...held, ...this.#take()].flatMap(whatRemains))
      for (const { failed } of commands) failed(error)
      return
    }
    this.#isWriting = false
    this.#perform([...heard, ...held])
    for (const { done } of stored) done()
  }

  /** Runs one command; one that throws has changed nothing, and the others go on. */
  #attempt(command: Command, held: CoordinatorOutput[]): boolean {
    const { coordinator, now } = this.#options
    const mark = coordinator.mark()
    coordinator.actAs()
    try {
      command.run(now())
      held.push(...this.#take())
      return true
    } catch (error) {
      coordinator.undo(now(), mark)
      held.push(...this.#take().flatMap(whatRemains))
      command.failed(error)
      return false
    }
  }

  #take(): CoordinatorOutput[] {
    const { coordinator } = this.#options
    const outputs: CoordinatorOutput[] = []
    for (let output = coordinator.poll(); output; output = coordinator.poll()) outputs.push(output)
    return outputs
  }

  #perform(outputs: readonly CoordinatorOutput[]): void {
    for (const output of outputs) this.#options.perform(output)
  }
}

/**
 * Returns what remains of an output when the records were taken back. Streams that ended stay ended: their clients come
 * back. So does whoever was to hear how their login was decided, by whatever command. Nobody hears of anything else.
 */
function whatRemains(output: CoordinatorOutput): readonly CoordinatorOutput[] {
  const { kind } = output
  if (kind === 'register-response')
    return [{ kind: 'refuse', exchange: output.exchange, status: 503, text: TRY_AGAIN }]
  return kind === 'end' || kind === 'pong' ? [output] : []
}

/** Tells whether what the coordinator knows is not what is stored. */
function isConflict(error: unknown): boolean {
  return error instanceof ControlError && error.code === 'ERR_CONTROL_CONFLICT'
}
