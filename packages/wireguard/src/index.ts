/**
 * WireGuard whole: peers, handshakes, sessions, timers, cookies, replay windows, allowed IPs, and the data-plane seat.
 *
 * @packageDocumentation
 */
export {
  ACTIVITY,
  addActivity,
  type DataPlane,
  type DataPlaneCounters,
  type DataPlaneOutputs,
  type DropReason,
  type PeerCounters,
  type PeerRoutes,
  type SessionKeys,
} from './data-plane.ts'
export { type DeviceOptions, type DeviceOutputs, WireGuardDevice } from './device.ts'
export type { HandshakeDropReason, WireGuardEvent, WireGuardOutput } from './output.ts'
export {
  type DatagramBatch,
  type PacketBatch,
  PacketBuffer,
  type PeerBatch,
  type PeerId,
  packetOf,
} from './packet-batch.ts'
export type { PeerConfig, PeerSessionStatus } from './peer-config.ts'
export { PortableDataPlane, type PortableDataPlaneOptions } from './portable-data-plane.ts'
export { PrefixTable } from './prefix-table.ts'
export { WireGuard, type WireGuardOptions } from './wireguard.ts'
