// `mesh-control configtest`: would `serve` take this? Nothing is made, changed, or connected to.

import { existsSync } from 'node:fs'
import { checkOptions } from '@mesh/control-server'
import { loadControlKey } from '@mesh/control-server/node'
import { prepare, type ServeFlags, serverUrlOf } from './serve-flags.ts'
import { stateDirectory } from './state-directory.ts'

/** Throws what `serve` would say against the flags and the files they name. */
export function configtest(flags: ServeFlags): void {
  const { relays, network } = prepare(flags)
  checkOptions({ ...network, derpMap: relays, serverUrl: serverUrlOf(flags) })
  const state = stateDirectory(flags.stateDir)
  const keys = [flags.privateKey ?? state.privateKey, ...(flags.embeddedRelay ? [state.relayKey] : [])]
  // One that is there is only read.
  for (const path of keys) if (existsSync(path)) loadControlKey(path)
}
