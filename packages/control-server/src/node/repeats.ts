// Trouble that befalls many at once: when the database is away every machine that asks is refused, and asks again. The log
// gets the first of a kind at once, and from time to time how many more there were.

/** How often it is said how many more there were, milliseconds. */
const INTERVAL = 10_000
/** The most kinds told apart; with more of them all begin anew. */
const MAX_KINDS = 64

/** Counts what is the same. */
export class Repeats {
  readonly #say: (reason: string, times: number) => void
  /** How often each came that was not said yet. */
  readonly #unsaid = new Map<string, number>()
  #timer: ReturnType<typeof setTimeout> | undefined

  /** @param say - Takes a reason, and how often it came since it was said last. */
  constructor(say: (reason: string, times: number) => void) {
    this.#say = say
  }

  /** Notes that it came once more. */
  note(reason: string): void {
    const unsaid = this.#unsaid.get(reason)
    if (unsaid !== undefined) return void this.#unsaid.set(reason, unsaid + 1)
    if (this.#unsaid.size >= MAX_KINDS) this.close()
    this.#say(reason, 1)
    this.#unsaid.set(reason, 0)
    this.#timer ??= setTimeout(() => this.#sayMore(), INTERVAL).unref()
  }

  /** Says what was not said yet, and ends. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#flush()
    this.#unsaid.clear()
  }

  #sayMore(): void {
    this.#timer = undefined
    this.#flush()
    if (this.#unsaid.size > 0) this.#timer = setTimeout(() => this.#sayMore(), INTERVAL).unref()
  }

  /** One that came no more is news when it comes again. */
  #flush(): void {
    for (const [reason, times] of this.#unsaid) {
      if (times === 0) this.#unsaid.delete(reason)
      else {
        this.#say(reason, times)
        this.#unsaid.set(reason, 0)
      }
    }
  }
}
