// A host of the town with the program that runs its magicsocks, and what that program says.
import { eventually, type Started } from '../netns/support.ts'
import type { Order, Saying } from './programs/site.ts'
import type { Host } from './town.ts'

const MAGICSOCKS = new URL('programs/magicsocks.ts', import.meta.url)

/** A host with its magicsocks. */
export class Street {
  /** Where it is. */
  readonly host: Host
  readonly #program: Started

  /** @param relays - Addresses of the relays; none for the usual. */
  /** @param environment - More variables for the program, `NAME=VALUE`. */
  constructor(host: Host, relays: readonly string[] = [], environment: readonly string[] = []) {
    this.host = host
    const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
    const program = [process.execPath, ...flags, MAGICSOCKS.pathname, ...relays]
    this.#program = host.inside.start('env', ...environment, ...program)
  }

  /** Tells the magicsocks what to do. */
  order(order: Order): void {
    this.#program.send(JSON.stringify(order))
  }

  /** Returns the last thing of a kind that a cell has said. */
  last<K extends Saying['said']>(said: K, cell: string): Extract<Saying, { said: K }> | undefined {
    const lines = this.#program.output
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
    const sayings = lines.map((line) => JSON.parse(line) as Saying)
    return sayings.findLast(
      (saying): saying is Extract<Saying, { said: K }> => saying.said === said && saying.cell === cell,
    )
  }

  /** Waits for something of a kind that a cell says. */
  async hear<K extends Saying['said']>(said: K, cell: string): Promise<Extract<Saying, { said: K }>> {
    return eventually(`${said} of ${cell} at ${this.host.name}`, async () => this.last(said, cell), 60_000)
  }

  /** Ends the program. */
  stop(): Promise<void> {
    return this.#program.stop()
  }

  /** Tells whether a cell's path is direct, as it says itself. */
  isDirect(cell: string): boolean {
    return this.last('path', cell)?.direct === true
  }
}
