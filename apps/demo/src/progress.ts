// What the demo prints: a line for each step with a mark and its time, in colour where that is welcome.
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Prints steps to a terminal or a file. */
export class Progress {
  readonly #out: NodeJS.WriteStream
  readonly #pending = new Set<string>()

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out
  }

  /** Prints a heading. */
  title(text: string): void {
    this.#line(`\n${this.#style('bold', text)}`)
  }

  /** Prints a plain line. */
  say(text = ''): void {
    this.#line(text)
  }

  /** Prints a line in a quiet colour. */
  note(text: string): void {
    this.#line(`  ${this.#style('dim', text)}`)
  }

  /** Does one step and prints its mark, what it returned and its time; a failure is marked and thrown on. */
  async step<T>(what: string, work: () => Promise<T>, result?: (value: T) => string): Promise<T> {
    const start = performance.now()
    this.#pending.add(what)
    this.#showPending()
    try {
      const value = await work()
      const said = result?.(value)
      this.#done(what, `${this.#style('green', '✔')} ${what}${said ? `  ${said}` : ''}  ${this.#time(start)}`)
      return value
    } catch (error) {
      this.#done(what, `${this.#style('red', '✖')} ${what}  ${this.#time(start)}`)
      throw error
    }
  }

  /** Prints the reason of a failure. */
  fail(text: string): void {
    this.#line(`\n${this.#style('red', 'failed:')} ${text}`)
  }

  #time(start: number): string {
    return this.#style('dim', `(${duration(performance.now() - start)})`)
  }

  /** On a terminal the last line names what is under way. */
  #showPending(): void {
    if (!this.#out.isTTY) return
    const names = [...this.#pending].join(', ')
    this.#out.write(`\r\x1b[2K${names ? this.#style('dim', `· ${names} …`) : ''}`)
  }

  #done(what: string, text: string): void {
    this.#pending.delete(what)
    if (this.#out.isTTY) this.#out.write('\r\x1b[2K')
    this.#line(text)
    this.#showPending()
  }

  #line(text: string): void {
    this.#out.write(`${text}\n`)
  }

  /** `styleText` itself leaves the colours out for NO_COLOR and for what is not a terminal. */
  #style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#out })
  }
}

/** Returns milliseconds as people say them: `0.4 ms`, `12 ms`, `3.1 s`. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
