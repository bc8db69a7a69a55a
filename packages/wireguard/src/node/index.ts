/**
 * The Linux filling of the data plane's seat: a thread of its own that moves packets between a TUN and UDP sockets by
 * system calls through `node:ffi`, with segmentation offloads both ways and Node's own OpenSSL for bulk crypto.
 *
 * @packageDocumentation
 */
export {
  LinuxDataPlane,
  type LinuxDataPlaneEvent,
  type LinuxDataPlaneOptions,
  linuxDataPlaneUnsupportedReason,
} from './linux-data-plane.ts'
export { PlaneSockets, type PlaneSocketsListener } from './plane-sockets.ts'
export { ACCEPT, DROP, type PacketJudge, UP, type Verdict } from '../linux/packet-judge.ts'
