import { expect, test } from 'vitest'
import { drain, drive, type Machine, ManualClock } from '../src/index.ts'

/** Says every word it is given, and `tick` every ten milliseconds while it has ticks left. */
class Parrot implements Machine<string> {
  readonly #out: string[] = []
  #nextAt = Infinity
  #ticks = 0

  handleWord(word: string, ticks = 0, now = 0): void {
    this.#out.push(word)
    this.#ticks = ticks
    this.#nextAt = ticks > 0 ? now + 10 : Infinity
  }
  handleTimeout(now: number): void {
    if (now < this.#nextAt) return
    this.#out.push(`tick@${now}`)
    this.#ticks -= 1
    this.#nextAt = this.#ticks > 0 ? now + 10 : Infinity
  }
  poll(): string | undefined {
    return this.#out.shift()
  }
  pollTimeout(): number {
    return this.#nextAt
  }
}

test('drain returns all outputs in order and leaves nothing', () => {
  const parrot = new Parrot()
  parrot.handleWord('a')
  parrot.handleWord('b')
  expect(drain(parrot)).toEqual(['a', 'b'])
  expect(drain(parrot)).toEqual([])
})

test('performs what is pending at the first turn of the clock, never before drive returns', () => {
  const clock = new ManualClock()
  const parrot = new Parrot()
  const said: string[] = []
  parrot.handleWord('early')
  drive(parrot, clock, (word) => said.push(word))
  expect(said).toEqual([])
  clock.advanceBy(0)
  expect(said).toEqual(['early'])
})

test('wakes the machine when it asked to be, and re-arms after each turn', () => {
  const clock = new ManualClock()
  const parrot = new Parrot()
  const said: string[] = []
  const driver = drive(parrot, clock, (word) => said.push(word))
  parrot.handleWord('go', 3, clock.now())
  driver.wake()
  clock.advanceBy(100)
  expect(said).toEqual(['go', 'tick@10', 'tick@20', 'tick@30'])
  expect(clock.nextTimer()).toBe(Infinity)
})

test('keeps the order when performing feeds the machine again', () => {
  const parrot = new Parrot()
  const said: string[] = []
  const driver = drive(parrot, new ManualClock(), (word) => {
    said.push(word)
    if (word !== 'one') return
    parrot.handleWord('three')
    driver.wake()
  })
  parrot.handleWord('one')
  parrot.handleWord('two')
  driver.wake()
  expect(said).toEqual(['one', 'two', 'three'])
})

test('sets one timer, for the latest wish of the machine', () => {
  const clock = new ManualClock()
  const parrot = new Parrot()
  const said: string[] = []
  const driver = drive(parrot, clock, (word) => said.push(word))
  clock.advanceTo(1)
  parrot.handleWord('a', 1, 1)
  driver.wake()
  clock.advanceTo(5)
  parrot.handleWord('b', 1, 5)
  driver.wake()
  clock.advanceTo(50)
  expect(said).toEqual(['a', 'b', 'tick@15'])
})

test('performs nothing once closed, not even the rest of the present drain', () => {
  const clock = new ManualClock()
  const parrot = new Parrot()
  const said: string[] = []
  const driver = drive(parrot, clock, (word) => {
    said.push(word)
    driver.close()
  })
  parrot.handleWord('last', 5, 0)
  parrot.handleWord('never', 5, 0)
  driver.wake()
  driver.close()
  driver.wake()
  clock.advanceBy(1000)
  expect(said).toEqual(['last'])
  expect(clock.nextTimer()).toBe(Infinity)
})

test('goes on after an output that could not be performed', () => {
  const clock = new ManualClock()
  const parrot = new Parrot()
  const said: string[] = []
  const driver = drive(parrot, clock, (word) => {
    if (word === 'bad') throw new Error('cannot')
    said.push(word)
  })
  parrot.handleWord('bad', 1, 0)
  parrot.handleWord('good', 1, 0)
  expect(() => driver.wake()).toThrow('cannot')
  driver.wake()
  clock.advanceBy(20)
  expect(said).toEqual(['good', 'tick@10'])
})
