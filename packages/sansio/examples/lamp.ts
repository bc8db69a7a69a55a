import { drain, drive, type Machine, ManualClock } from '@mesh/sansio'

type LampOutput = { kind: 'light'; on: boolean }

/** A stairway lamp: lit by a button, dark again after a minute. */
class Lamp implements Machine<LampOutput> {
  readonly #out: LampOutput[] = []
  #offAt = Infinity

  handleButton(now: number): void {
    if (this.#offAt === Infinity) this.#out.push({ kind: 'light', on: true })
    this.#offAt = now + 60_000
  }
  handleTimeout(now: number): void {
    if (now < this.#offAt) return
    this.#offAt = Infinity
    this.#out.push({ kind: 'light', on: false })
  }
  poll(): LampOutput | undefined {
    return this.#out.shift()
  }
  pollTimeout(): number {
    return this.#offAt
  }
}

// By hand: one input, then drain.
const lamp = new Lamp()
lamp.handleButton(0)
console.log(drain(lamp)) // [ { kind: 'light', on: true } ]

// Driven: the clock here is one you turn; in a program it is systemClock of @mesh/sansio/node.
const clock = new ManualClock()
const driver = drive(lamp, clock, (output) => console.log(clock.now(), output.on))
clock.advanceBy(30_000)
lamp.handleButton(clock.now())
driver.wake()
clock.advanceBy(120_000) // 90000 false
driver.close()
