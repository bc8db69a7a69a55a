/**
 * A network of NATs, loss and latency under a virtual clock.
 *
 * @packageDocumentation
 */
export type { NatBehaviour, PortChoice } from './behaviour.ts'
export type { SimDatagram, SimDropReason, SimEvent } from './datagram.ts'
export { SimHost, type SimSocket } from './host.ts'
export { Link, type LinkConditions, type LinkWay } from './link.ts'
export { type NatOptions, SimNat } from './nat.ts'
export type { Place } from './place.ts'
export { PORT_MAPPING_PORT, type PortMappingProtocol } from './port-mapping.ts'
export { Realm, type Receiver } from './realm.ts'
export { type RelayOptions, type RelayPort, SimRelay } from './relay.ts'
export { type HostOptions, SimNet, type SimNetOptions } from './simnet.ts'
export { answerStun, STUN_PORT } from './stun-server.ts'
export { Timeline, type TimelineOptions } from './timeline.ts'
