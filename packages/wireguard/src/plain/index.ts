/**
 * WireGuard as `wg` knows it: peers by public key with endpoints that roam, settings in text, the files of `wg`, and the
 * UAPI by which `wg` steers an interface. Without sockets; those are in `@mesh/wireguard/node`.
 *
 * @packageDocumentation
 */
export { ConfigError, parseConfig, type WireGuardConfig } from './config-file.ts'
export type { InterfaceChange, InterfaceStatus, PeerChange, PeerStatus } from './interface-change.ts'
export { formatHexKey, formatKey, parseHexKey, parseKey } from './key-text.ts'
export { type PlainEvent, type PlainOptions, type PlainOutputs, PlainWireGuard } from './plain-wireguard.ts'
export { changeFor, type InterfaceSettings, type PeerSettings } from './settings.ts'
export {
  formatUapiErrno,
  formatUapiStatus,
  UAPI_ERRNO,
  UapiReader,
  type UapiRequest,
} from './uapi.ts'
