// A judge for a test: it falls over when told to, holds the thread while a word says so, at once or at the next packet that comes
// in, and tells the rules it knows when asked.
import { BroadcastChannel } from 'node:worker_threads'
import { ACCEPT, type PacketJudge } from '../../../src/node/index.ts'

/** Makes it. The packet thread imports this. */
export function createJudge(): PacketJudge {
  const rules: unknown[] = []
  /** Its first word holds the thread at a packet that comes in, its second one says that it does. */
  let gate: Int32Array | undefined
  return {
    fromOverlay: () => ACCEPT,
    toOverlay: () => {
      if (gate !== undefined) {
        Atomics.store(gate, 1, 1)
        Atomics.wait(gate, 0, 0)
      }
      return ACCEPT
    },
    handleMessage: (message) => {
      if (message === 'fall') throw new Error('fell over')
      if (message instanceof SharedArrayBuffer) Atomics.wait(new Int32Array(message), 0, 0)
      else if (message instanceof Int32Array) gate = message
      else if (message === 'tell') tell(rules)
      else rules.push(message)
    },
  }
}

/** The thread never returns to its event loop, so what it says must leave at once. */
function tell(rules: unknown[]): void {
  const channel = new BroadcastChannel('mesh-rule-judge')
  channel.postMessage(rules)
  channel.close()
}
