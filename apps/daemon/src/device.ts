// The daemon's end of the mesh: a kernel interface with the addresses and routes of the map, or none at all.
import type { HostRoutes } from '@mesh/net'
import type { NodeOptions } from '@mesh/net/node'
import { configureInterface, openTun } from '@mesh/tun/node'

/** Which device the user chose. */
export type DeviceChoice = { readonly kind: 'userspace' } | { readonly kind: 'tun'; readonly name: string }

/**
 * Makes sure before anything else that the chosen device can be had.
 *
 * @throws TunError with one sentence that says what to do.
 */
export async function checkDevice(choice: DeviceChoice): Promise<void> {
  if (choice.kind === 'userspace') return
  const device = await openTun({ name: choice.name })
  await device.close()
}

/** Returns what a node must be told of the device. */
export function deviceOptions(
  choice: DeviceChoice,
  complain: (text: string) => void,
): Pick<NodeOptions, 'openDevice' | 'onHostRoutes'> {
  if (choice.kind === 'userspace') return {}
  const { name } = choice
  return {
    openDevice: () => openTun({ name }),
    onHostRoutes: (wanted: HostRoutes) => {
      configureInterface({ name, addresses: wanted.addresses, routes: wanted.routes }).catch(
        (error: unknown) => complain(error instanceof Error ? error.message : String(error)),
      )
    },
  }
}
