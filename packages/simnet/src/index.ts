/**
 * A network of NATs, loss and latency under a virtual clock.
 *
 * @packageDocumentation
 */
export type { SimDatagram, SimDropReason, SimEvent } from './datagram.ts'
export { SimHost, type SimSocket } from './host.ts'
export { Link, type LinkConditions } from './link.ts'
export { type NatBehaviour, type NatOptions, SimNat } from './nat.ts'
export type { Place } from './place.ts'
export { type RelayOptions, type RelayPort, SimRelay } from './relay.ts'
export { type HostOptions, SimNet, type SimNetOptions } from './simnet.ts'
export { answerStun, STUN_PORT } from './stun-server.ts'
