/**
 * Magicsock on the system's sockets.
 *
 * @packageDocumentation
 */
export {
  type MagicSockHandle,
  type OpenMagicSockOptions,
  openMagicSock,
  type RelayHandlers,
  type RelayLink,
} from './open-magicsock.ts'
export { localAddresses, openUdpSockets, type UdpOptions } from './udp-sockets.ts'
