/**
 * The data plane over one arena of memory, with its bulk crypto in WebAssembly: on the caller's own thread, wherever
 * WebAssembly has vectors; and the seat for a packet filter inside it.
 *
 * @packageDocumentation
 */
export {
  ArenaDataPlane,
  type ArenaDataPlaneOptions,
  type ArenaPlaneLoad,
  loadArenaDataPlane,
} from './arena-data-plane.ts'
export { ACCEPT, CHANGED, DROP, type PacketJudge, UP, type Verdict } from './packet-judge.ts'
