// What a node must remember between runs, as names with texts. A seat: in memory here, a file in the Node shell.

/** Remembers a node's keys and settings. Values are small texts; some are secrets. */
export interface StateStore {
  /** Returns the value of a name, or `undefined` when it was never written. */
  read(name: string): string | undefined
  /**
   * Writes some names at once; `undefined` removes a name. Resolves when the values would survive a crash.
   * Either all of them are written or none.
   */
  write(values: Readonly<Record<string, string | undefined>>): Promise<void>
}

/** Name of the machine key, a private key as text. */
export const MACHINE_KEY = '_machinekey'

/** Name of the node key, a private key as text. */
export const NODE_KEY = '_nodekey'

/** Name of the node key that is to come after it, while control may or may not know it: a private key as text. */
export const NEXT_NODE_KEY = '_nextnodekey'

/** Name of the control server's pinned key: a JSON object from URL to key text. */
export const CONTROL_KEYS = '_controlkeys'

/** Returns a store that forgets everything with the process. */
export function memoryStore(initial: Readonly<Record<string, string>> = {}): StateStore {
  const values = new Map(Object.entries(initial))
  return {
    read: (name) => values.get(name),
    async write(changes) {
      for (const [name, value] of Object.entries(changes)) {
        if (value === undefined) values.delete(name)
        else values.set(name, value)
      }
    },
  }
}
