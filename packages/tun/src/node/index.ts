/**
 * The Linux filling of the seat: a TUN device opened by `node:ffi`, and its addresses, routes and MTU set by `ip`.
 *
 * @packageDocumentation
 */
export { configureInterface, type InterfaceResult, type InterfaceSettings } from './interface.ts'
export {
  type OffloadTun,
  openOffloadTun,
  openTun,
  type OpenTunOptions,
  tunUnsupportedReason,
} from './open-tun.ts'
