// Addresses, routes and MTU of an interface, set by the system's own `ip` (iproute2).

/** What an interface is to have. */
export interface InterfaceSettings {
  /** The interface, as `ip link` shows it. */
  readonly name: string
  /** Addresses in text with their prefix length: `100.64.0.1/32`, `fd7a:115c:a1e0::1/128`. */
  readonly addresses?: readonly string[]
  /** Destinations that go into the device: `100.64.0.0/10`, `default`. */
  readonly routes?: readonly string[]
  /** Largest packet in bytes. */
  readonly mtu?: number
  /** The network namespace that holds the interface; default the process's own. */
  readonly netns?: string
}

/**
 * Sets the MTU, adds the addresses, brings the interface up, then adds the routes. What is already there is left
 * as it is, so a second call changes nothing.
 *
 * @throws TunError `ERR_TUN_CONFIGURE` with what `ip` said.
 */
export async function configureInterface(settings: InterfaceSettings): Promise<void> {
  throw new Error(`not yet: ${settings.name}`)
}
