// The daemon's end of the mesh: a kernel interface with the addresses and routes of the map, or none at all.
import { execFile } from 'node:child_process'
import type { HostRoutes } from '@mesh/net'
import type { NodeOptions } from '@mesh/net/node'
import { configureInterface, openOffloadTun, openTun } from '@mesh/tun/node'

/** Which device the user chose. */
export type DeviceChoice = { readonly kind: 'userspace' } | { readonly kind: 'tun'; readonly name: string }

/**
 * Makes sure before anything else that the chosen device can be had.
 *
 * @throws Error with one sentence that says what to do.
 */
export async function checkDevice(choice: DeviceChoice): Promise<void> {
  if (choice.kind === 'userspace') return
  try {
    const device = await openTun({ name: choice.name })
    await device.close()
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause
    const { message } = cause
    const reason = message.slice(0, 1).toUpperCase() + message.slice(1)
    throw new Error(`${reason}; or run with --tun=userspace-networking.`, { cause })
  }
}

/** Returns what a node must be told of the device. */
export function deviceOptions(
  choice: DeviceChoice,
): Pick<NodeOptions, 'openDevice' | 'openOffloadDevice' | 'onHostRoutes'> {
  if (choice.kind === 'userspace') return {}
  const { name } = choice
  let present: HostRoutes = { addresses: [], routes: [] }
  return {
    openDevice: () => openTun({ name }),
    openOffloadDevice: () => openOffloadTun({ name }),
    onHostRoutes: async (wanted) => {
      const before = present
      present = wanted
      await configureInterface({ name, ...wanted })
      for (const route of missing(before.routes, wanted.routes)) await remove('route', route, name)
      for (const address of missing(before.addresses, wanted.addresses))
        await remove('address', address, name)
    },
  }
}

function missing(before: readonly string[], now: readonly string[]): readonly string[] {
  return before.filter((text) => !now.includes(text))
}

/** Takes away what the last map asked for and this one does not; what is gone already is no trouble. */
function remove(what: 'route' | 'address', text: string, name: string): Promise<void> {
  const family = text.includes(':') ? '-6' : '-4'
  return new Promise((resolve) => {
    execFile('ip', [family, what, 'delete', text, 'dev', name], { timeout: 10_000 }, () => resolve())
  })
}
