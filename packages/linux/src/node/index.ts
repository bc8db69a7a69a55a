/**
 * The calls: an arena, libc's functions over it, and the two ciphers' halves of Node's own OpenSSL.
 *
 * @packageDocumentation
 */
export {
  Arena,
  type ArenaMemory,
  type LinuxCalls,
  linuxCalls,
  unsupportedReason,
  type WasmMemory,
} from './native.ts'
export { type OpenSslEvp, type OpenSslRaw, openSslEvp, openSslRaw } from './native.ts'
export { describeErrno } from './describe-errno.ts'
