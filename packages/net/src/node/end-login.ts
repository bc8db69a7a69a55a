// Ending a login at the control server: of a node that runs, and of one that does not.
import { connectControl, type ControlConnection } from '@mesh/control-client/node'
import { formatDiscoKey, generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { NetError } from '../errors.ts'
import { NODE_KEY, type StateStore } from '../state-store.ts'
import { hostInfo } from './host-info.ts'
import { explain, notConnected, sentence } from './node-error.ts'
import { loadKeys, pinnedControlKey } from './node-keys.ts'

/** Whose login is to end. */
export interface EndLoginOptions {
  /** Address of the control server. */
  readonly controlUrl: string
  /** The name that the node went by. */
  readonly hostname: string
  /** Where its keys are; they stay there. */
  readonly store: StateStore
  /** Version to tell control. */
  readonly version?: string
}

/**
 * Ends the login of a node that does not run, at its control server; does nothing when none is kept.
 *
 * @throws NetError `ERR_CONTROL_UNREACHABLE` or `ERR_STATE_UNREADABLE`: control still counts it as logged in then.
 */
export async function endLogin(options: EndLoginOptions): Promise<void> {
  const { controlUrl, hostname, store, version = '0.0.0' } = options
  if (store.read(NODE_KEY) === undefined) return
  const connection = connectControl({
    ...loadKeys(store, systemRandom),
    serverUrl: controlUrl,
    discoKey: formatDiscoKey(publicKeyOf(generatePrivateKey(systemRandom))),
    hostinfo: hostInfo(hostname, version, true),
    pinnedKey: pinnedControlKey(store, controlUrl),
    onEvent: () => undefined,
  })
  try {
    await tellLogout(connection)
  } finally {
    await connection.close()
  }
}

/**
 * Ends the login by a connection that a node has. Who was refused or has expired has no login to end.
 *
 * @throws NetError as {@link endLogin}; the connection then goes on.
 */
export async function tellLogout(connection: ControlConnection | undefined): Promise<void> {
  if (!connection) throw notConnected()
  if (connection.stopped) return
  try {
    await connection.logout()
  } catch (error) {
    throw explainLogout(error)
  }
}

function explainLogout(error: unknown): NetError {
  const why = error instanceof Error ? error.message : String(error)
  const text = `the login has not ended at the control server: ${why}`
  return new NetError(explain(error).code, sentence(text), { cause: error })
}
