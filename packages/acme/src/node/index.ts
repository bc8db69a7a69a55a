/**
 * Certificates from an ACME authority (RFC 8555): obtained by tls-alpn-01 (RFC 8737), kept in a file that nobody else
 * reads, renewed when a third of their time is left.
 *
 * @packageDocumentation
 */
export { DIRECTORIES } from './authority.ts'
export type { Authority, CertificatePair } from './authority.ts'
export { keepCertificate, keptCertificate } from './keeper.ts'
export type { CertificateHolder, CertificateOrder, Keeping } from './keeper.ts'
