// The endpoints this node tells others about: what they are called, in which order they come, which local
// addresses belong, and whether the set has changed.
import type { Endpoint } from '@mesh/wire/ip'

/** How an endpoint was found, with the numbers the control protocol uses (data-plane.md section 5.8). */
export const ENDPOINT_TYPE = {
  unknown: 0,
  local: 1,
  stun: 2,
  portmapped: 3,
  stun4LocalPort: 4,
  explicit: 5,
} as const

/** One of the numbers of {@link ENDPOINT_TYPE}. */
export type EndpointType = (typeof ENDPOINT_TYPE)[keyof typeof ENDPOINT_TYPE]

/** An address at which this node may be reached, and how that is known. */
export interface LocalEndpoint {
  /** Where. */
  readonly endpoint: Endpoint
  /** How it was found. */
  readonly type: EndpointType
}
