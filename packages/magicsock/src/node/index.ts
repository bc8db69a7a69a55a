/**
 * Magicsock on the system's sockets.
 *
 * @packageDocumentation
 */
export { CAPTIVE_PORTAL_TIMEOUT, detectCaptivePortal, type PortalProbe } from './captive-portal.ts'
export { defaultGateway } from './default-gateway.ts'
export {
  type MagicSockHandle,
  type MagicSockKeys,
  type MagicSockRelays,
  type OpenMagicSockOptions,
  openMagicSock,
  type RelayHandlers,
  type RelayLink,
} from './open-magicsock.ts'
export { openPeerRelay, type OpenPeerRelayOptions, type PeerRelayHandle } from './open-peer-relay.ts'
export { pingByIcmp } from './icmp-ping.ts'
export { localAddresses } from './local-addresses.ts'
export { MEASURE_TIMEOUT, measureRelayByHttps, type RelayTarget } from './measure-relay.ts'
export { openUdpSockets, SOCKET_BUFFER_SIZE, type UdpOptions } from './udp-sockets.ts'
