// Opens the kernel's TUN device.
import type { TunDevice } from '../tun-device.ts'

/** How a TUN is opened. */
export interface OpenTunOptions {
  /** The interface's name, at most 15 bytes; a `%d` in it is replaced by the first free number. Default `mesh%d`. */
  readonly name?: string
  /** Largest packet in bytes. Default 1280. */
  readonly mtu?: number
  /** Addresses to add, with prefix length. */
  readonly addresses?: readonly string[]
  /** Destinations to route into the device. */
  readonly routes?: readonly string[]
  /** Moves the interface into this named network namespace before setting it up. */
  readonly netns?: string
}

/** Returns why this machine cannot open a TUN, as one sentence for a person, or `undefined` when it should work. */
export function tunUnsupportedReason(): string | undefined {
  return 'not yet'
}

/**
 * Opens a TUN device, sets its MTU, addresses and routes, and brings it up.
 *
 * @throws TunError with a code and one clear sentence when the machine, the rights or the name forbid it.
 */
export async function openTun(options: OpenTunOptions = {}): Promise<TunDevice> {
  throw new Error(`not yet: ${options.name}`)
}
