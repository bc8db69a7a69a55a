// What every protocol in this project looks like from outside: bytes and time go in through handleX methods,
// work comes out through poll. A machine holds no socket, timer, clock or random source, so it runs the same
// in a daemon, in a browser and under a virtual clock.

/**
 * A protocol without input or output of its own: its owner feeds it, drains it, and wakes it when it asks.
 *
 * The rule of use is: one input, then drain, then the next input.
 *
 * @typeParam O - The machine's outputs: one union, discriminated by `kind`.
 */
export interface Machine<O> {
  /** Does whatever is due at `now` (monotonic milliseconds). Calling early or twice is harmless. */
  handleTimeout(now: number): void
  /** Returns the next thing the owner has to do, or `undefined` when there is nothing left. */
  poll(): O | undefined
  /** Returns the time at which to call {@link Machine.handleTimeout}; `Infinity` means never. */
  pollTimeout(): number
}

/**
 * Returns everything the machine has to say now, in order.
 *
 * For tests and small owners; a loop that meets the machine once a packet calls `poll` itself and makes no array.
 */
export function drain<O>(machine: Pick<Machine<O>, 'poll'>): O[] {
  const outputs: O[] = []
  for (let output = machine.poll(); output !== undefined; output = machine.poll()) outputs.push(output)
  return outputs
}
