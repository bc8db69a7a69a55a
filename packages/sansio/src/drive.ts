// The loop every shell would otherwise write again: drain the machine, do what it says, set one timer for the
// time it names.
import type { Clock } from './clock.ts'
import type { Machine } from './machine.ts'

/** A machine being driven: see {@link drive}. */
export interface Driver {
  /** Drains the machine and sets its timer anew. Call it after every input. */
  wake(): void
  /** Stops: cancels the timer and performs nothing more. The machine itself is left as it is. */
  close(): void
}

/**
 * Drives a machine: performs its outputs in order and calls its `handleTimeout` when it asked to be woken.
 *
 * The owner feeds the machine (`machine.handleX(…, clock.now())`) and then calls {@link Driver.wake}. `perform` may
 * itself feed the machine and call `wake`: the outputs of that input come after those already on their way.
 * `perform` is first called by a timer due now or by the first `wake`, so never before `drive` has returned.
 *
 * @param perform - Does one output. What it throws comes out of `wake`, or out of the clock's timer.
 */
export function drive<O>(machine: Machine<O>, clock: Clock, perform: (output: O) => void): Driver {
  let closed = false
  let draining = false
  let armedFor = Infinity
  let cancel: (() => void) | undefined

  function arm(time: number): void {
    if (time === armedFor) return
    cancel?.()
    armedFor = time
    cancel = time === Infinity ? undefined : clock.at(time, fire)
  }

  function fire(): void {
    armedFor = Infinity
    cancel = undefined
    machine.handleTimeout(clock.now())
    wake()
  }

  function wake(): void {
    if (closed || draining) return
    draining = true
    try {
      for (let output = closed ? undefined : machine.poll(); output !== undefined; ) {
        perform(output)
        output = closed ? undefined : machine.poll()
      }
    } finally {
      draining = false
      if (!closed) arm(machine.pollTimeout())
    }
  }

  function close(): void {
    closed = true
    arm(Infinity)
  }

  armedFor = clock.now()
  cancel = clock.at(armedFor, fire)
  return { wake, close }
}
