// What a port mapping is, and what is known and believed of the gateway that makes it.
import {
  type Endpoint,
  type IpAddress,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
} from '@mesh/wire/ip'

/** How a mapping was made. */
export type PortMapService = 'nat-pmp' | 'pcp' | 'upnp'

/** A port of the gateway's that leads to ours. */
export interface PortMapping {
  /** Where we are reached from outside. */
  readonly external: Endpoint
  /** How it was made. */
  readonly service: PortMapService
  /** When it ends unless renewed, in the machine's milliseconds. */
  readonly expiresAt: number
}

/** The gateway, and our address on its network; both IPv4. */
export interface Gateway {
  /** The default route's next hop. */
  readonly address: IpAddress
  /** Our own address, as the gateway sees it. */
  readonly self: IpAddress
}

/** Which services the gateway has shown; `undefined` until somebody has asked. */
export interface PortMapServices {
  readonly natPmp: boolean | undefined
  readonly pcp: boolean | undefined
  readonly upnp: boolean | undefined
}

/** Seconds for which a mapping is asked. */
export const MAPPING_LIFETIME = 7_200
/** Seconds for which a mapping is believed at most, whatever the gateway says. */
export const MAX_LIFETIME = 24 * 3_600

/** Seconds: one that is given for less ends before it may be renewed, and would be news again and again. */
export const MIN_LIFETIME = 60

/** Returns how long, in milliseconds, a mapping is believed that a gateway gave for so many seconds. */
export function believedLifetime(seconds: number): number {
  return Math.min(seconds, MAX_LIFETIME) * 1_000
}

/** Tells whether an address that a gateway calls its own outside one can be told to peers (threats 13 and 32). */
export function isUsableExternal(address: IpAddress): boolean {
  if (address.length !== 4 || isUnspecified(address) || isLoopback(address)) return false
  if (isMulticast(address) || isLinkLocal(address)) return false
  return address[0] !== 0 && (address[0] ?? 0) < 240
}
