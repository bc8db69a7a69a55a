/**
 * Noise IK (control channel) and IKpsk2 (WireGuard) handshakes and cipher states, over a seat for faster crypto.
 *
 * @packageDocumentation
 */
export { CipherState, type NonceOrder } from './cipher-state.ts'
export {
  CONTROL_INITIATION_LENGTH,
  CONTROL_RESPONSE_LENGTH,
  type ControlAcceptance,
  type ControlAcceptOptions,
  type ControlInitiateOptions,
  type ControlInitiation,
  type ControlOptions,
  type ControlSession,
  controlAccept,
  controlInitiate,
} from './control.ts'
export {
  type Blake2sOptions,
  constantTimeEqual,
  type Crypto,
  KEY_LENGTH,
  NONCE_LENGTH,
  type RandomSource,
  TAG_LENGTH,
  XNONCE_LENGTH,
} from './crypto.ts'
export {
  IkAcceptance,
  type IkInitiateOptions,
  IkInitiation,
  type IkKeys,
  type IkOptions,
  type IkPattern,
  ikAccept,
  ikInitiate,
} from './ik.ts'
export {
  COOKIE_REPLY_LENGTH,
  type CookieReply,
  cookieFor,
  hasMac1,
  hasMac2,
  MAC_LENGTH,
  type MacKeys,
  mac1Of,
  macKeysOf,
  openCookieReply,
  sealCookieReply,
  writeMac1,
  writeMac2,
} from './mac.ts'
export { nobleCrypto } from './noble-crypto.ts'
export {
  MAX_RECORD_PLAINTEXT,
  RECORD_HEADER_LENGTH,
  RECORD_OVERHEAD,
  type RecordOpener,
  type RecordSealer,
  RecordTransport,
} from './record-transport.ts'
export {
  INITIATION_LENGTH,
  RESPONSE_LENGTH,
  TIMESTAMP_LENGTH,
  WireGuardAcceptance,
  type WireGuardIdentity,
  type WireGuardInitiateOptions,
  WireGuardInitiation,
  type WireGuardKeys,
  type WireGuardRespondOptions,
  wireguardAccept,
  wireguardInitiate,
} from './wireguard.ts'
