// Who moves the packets: a thread of its own where Linux lets it, else WebAssembly on the control thread, else plain
// JavaScript. What is not there is said once, with the reason, and the next takes its place, unless somebody insists.
import { nodeCrypto } from '@mesh/noise/node'
import type { DataPlane, DataPlaneOutputs } from '@mesh/wireguard'
import { loadArenaDataPlane } from '@mesh/wireguard/arena'
import { linuxDataPlaneUnsupportedReason } from '@mesh/wireguard/node'
import { NetError } from '../errors.ts'
import type { DataPlaneStatus } from '../status.ts'

/** Which data plane somebody wants; `auto` takes the fastest there is. */
export type DataPlaneChoice = 'auto' | DataPlaneStatus['Kind']

/** The choices, as a command line names them. */
export const DATA_PLANES: readonly DataPlaneChoice[] = ['auto', 'linux', 'wasm', 'portable']

/** MTU of the overlay. */
const MTU = 1280

/** A data plane on the control thread, ready to be opened, and what it is. */
export interface LocalPlane {
  readonly status: DataPlaneStatus
  /** Opens it; the device's own, portable one when left out. */
  readonly open?: (outputs: DataPlaneOutputs) => DataPlane
}

/**
 * Returns why no thread moves the packets, as one clause; `''` when nobody wants one, `undefined` when one shall.
 *
 * @param hasDevice - Whether there is a kernel device that a thread can read.
 * @throws NetError `ERR_DATA_PLANE` when a thread is insisted on and cannot be had.
 */
export function whyNoThread(choice: DataPlaneChoice, hasDevice: boolean): string | undefined {
  if (choice === 'wasm' || choice === 'portable') return ''
  if (!hasDevice && choice === 'auto') return ''
  const reason = hasDevice ? linuxDataPlaneUnsupportedReason() : 'it needs a TUN device'
  if (reason !== undefined && choice === 'linux') throw refused('linux', reason)
  return reason
}

/**
 * Returns the best data plane that works on this thread. `reason` is why none with a thread of its own does.
 *
 * @throws NetError `ERR_DATA_PLANE` when WebAssembly is insisted on and cannot be had.
 */
export function localPlane(choice: DataPlaneChoice, reason: string): LocalPlane {
  const because = (why: string): Partial<DataPlaneStatus> => (why === '' ? {} : { Reason: why })
  const portable = (why: string): LocalPlane => ({
    status: { Kind: 'portable', AEAD: nodeCrypto.name, ...because(why) },
  })
  if (choice === 'portable') return portable('')
  const arena = loadArenaDataPlane()
  if (arena.kind === 'loaded') {
    const open = (outputs: DataPlaneOutputs): DataPlane => arena.open(outputs, MTU)
    return { status: { Kind: 'wasm', AEAD: 'wasm', ...because(reason) }, open }
  }
  if (choice === 'wasm') throw refused('wasm', arena.reason)
  return portable([reason, arena.reason].filter((why) => why !== '').join('; '))
}

function refused(kind: string, reason: string): NetError {
  return new NetError('ERR_DATA_PLANE', `There is no ${kind} data plane here: ${reason}.`)
}
