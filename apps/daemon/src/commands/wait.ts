// `mesh wait`: for scripts that need the mesh to be there, also while the daemon itself is still starting.
import { setTimeout as sleep } from 'node:timers/promises'
import { BACKEND_STATES } from '@mesh/net/status'
import { CommandError, type LocalClient } from '../local-client.ts'

const RUNNING = BACKEND_STATES.indexOf('Running')
/** Milliseconds between two attempts to find the daemon. */
const RETRY = 250

/** Returns when the node is in the mesh; throws after `timeout` milliseconds (0 waits for ever). */
export async function wait(client: LocalClient, timeout: number): Promise<void> {
  const deadline = timeout > 0 ? AbortSignal.timeout(timeout) : undefined
  for (;;) {
    try {
      return await client.watch(({ State }) => State === RUNNING, deadline)
    } catch (error) {
      if (deadline?.aborted)
        throw new CommandError(`The node is not in the mesh after ${timeout / 1000} s (see mesh status).`)
      if (!(error instanceof CommandError)) throw error
      await sleep(RETRY)
    }
  }
}
