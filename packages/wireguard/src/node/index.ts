/**
 * WireGuard in a Node process: an interface with its sockets and timers, the UAPI by which `wg` steers it, and the Linux
 * filling of the data plane's seat, a thread of its own that moves packets between a TUN and UDP sockets by system calls
 * through `node:ffi`, with segmentation offloads both ways and Node's own OpenSSL for bulk crypto.
 *
 * @packageDocumentation
 */
export {
  LinuxDataPlane,
  linuxDataPlaneUnsupportedReason,
} from './linux-data-plane.ts'
export type { LinuxDataPlaneEvent, LinuxDataPlaneOptions } from './linux-data-plane-options.ts'
export { parseConfig } from '../plain/config-file.ts'
export type { Losses, Underlay } from './underlay.ts'
export { serveUapi, type UapiServer, type UapiTarget } from './uapi-server.ts'
export {
  type BatchTun,
  type DescriptorTun,
  generateKeys,
  openWireGuard,
  type OpenWireGuardOptions,
  WireGuardNode,
  type WireGuardNodeEvent,
} from './wireguard-node.ts'
export { PlaneSockets, type PlaneSocketsListener } from './plane-sockets.ts'
export { ACCEPT, CHANGED, DROP, type PacketJudge, UP, type Verdict } from '../linux/packet-judge.ts'
