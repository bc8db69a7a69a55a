/**
 * The relay and the STUN answerer for Node, mountable in any `node:http` or `node:https` server.
 *
 * @packageDocumentation
 */
export {
  type CertificatePair,
  certificatePin,
  META_CERTIFICATE_PREFIX,
  metaCertificate,
  selfSignedCertificate,
} from './certificates.ts'
export {
  type Admission,
  createRelay,
  type RelayServer,
  type RelayServerOptions,
  type Sibling,
  type Verdict,
} from './create-relay.ts'
export { debugPage } from './debug.ts'
export { answerNoContent } from './http-answers.ts'
export { type AcceptCounter, type AcceptLimit, limitAccepts } from './limit-accepts.ts'
export { formatMetrics, METRICS_TYPE } from './metrics.ts'
export { listenStun, STUN_PORT, type StunListener, type StunListenerOptions } from './listen-stun.ts'
export { createPageServer, isLoopback } from './local-pages.ts'
export type { PageAnswer, PageRequest, PageSource } from './page.ts'
export { refuseUpgrade } from './refuse-upgrade.ts'
export { type RelayTls, relayTls } from './relay-tls.ts'
export { type ServedRelay, serveRelay, type ServeRelayOptions } from './serve-relay.ts'
