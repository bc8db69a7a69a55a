// A control server for tests: on loopback, with all it needs and nothing to remember it by.
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { MemoryStore, relayMap } from '../index.ts'
import { type ControlListener, type ControlOptions, listenControl } from '../node/index.ts'

/** The map of one relay that nobody runs: clients do not start without one. */
const DERP_MAP = relayMap([{ host: '127.0.0.1', port: 3340, stunPort: 3478, insecure: true }])

/**
 * Starts a control server on loopback, on any port, with a fresh key, a store in memory, and a relay in its map that nobody runs.
 * What a test cares for it says in `change`.
 */
export function startControl(change: Partial<ControlOptions> = {}): Promise<ControlListener> {
  return listenControl({
    host: '127.0.0.1',
    port: 0,
    store: new MemoryStore(),
    privateKey: generatePrivateKey(systemRandom),
    derpMap: DERP_MAP,
    baseDomain: 'mesh.internal',
    ...change,
  })
}
