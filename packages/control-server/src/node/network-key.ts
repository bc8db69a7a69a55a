// Which key a network's servers prove themselves by. Clients keep the public half: a second server that shares the database
// but not the key would be an impostor to them, so it does not serve.

import { formatMachineKey, publicKeyOf } from '@mesh/keys'
import { ControlError } from '../errors.ts'
import type { Store } from '../store.ts'

/**
 * Binds the network of a store to a server's key, unless it is bound already.
 *
 * @param privateKey - The server's private key, 32 bytes.
 * @param takeOver - Whether to bind it also when it is bound to another key, as when that is lost.
 * @returns The public key, as `mkey:` text.
 * @throws ControlError `ERR_CONTROL_CONFIG` when it is bound to another key.
 */
export async function claimNetwork(store: Store, privateKey: Uint8Array, takeOver = false): Promise<string> {
  const own = formatMachineKey(publicKeyOf(privateKey))
  const bound = await store.claim(own, takeOver)
  if (bound === own) return own
  const message = `The network in this database belongs to servers with another private key, that of ${bound}: give this one a copy of their key file, or, when it is lost, bind the network to this one's by "mesh-control rekey".`
  throw new ControlError('ERR_CONTROL_CONFIG', message)
}
