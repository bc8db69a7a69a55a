/**
 * The calls: an arena, libc's functions over it, and the two ciphers' halves of Node's own OpenSSL.
 *
 * @packageDocumentation
 */
export type { LinuxCalls, OpenSslEvp, OpenSslRaw } from './calls.ts'
export {
  Arena,
  type ArenaMemory,
  linuxCalls,
  openSslEvp,
  openSslRaw,
  unsupportedReason,
  type WasmMemory,
} from './native.ts'
export { describeErrno } from './describe-errno.ts'
