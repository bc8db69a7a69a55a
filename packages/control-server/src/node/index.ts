/**
 * The coordinator over real sockets, with its store in a SQLite file or in PostgreSQL, for Node.
 *
 * @packageDocumentation
 */
export type {
  AdminResult,
  ApiKeyJson,
  BackfillJson,
  BackupJson,
  HealthJson,
  LoginJson,
  MadeApiKeyJson,
  NodeJson,
  PolicyJson,
  PreAuthKeyJson,
  SshCheckJson,
  ReservationJson,
  UserJson,
} from './admin-answers.ts'
export { ADMIN_PATH, serveAdmin } from './admin-api.ts'
export type { AdminSeat } from './admin-api.ts'
export { readAdminCommand } from './admin-command.ts'
export type { AdminCommand } from './admin-command.ts'
export { readAdminQuestion } from './admin-question.ts'
export type {
  AdminAnswer,
  AdminQuestion,
  AuditCommand,
  AuditJson,
  CallCommand,
  CallJson,
  PingCommand,
  PingJson,
} from './admin-question.ts'
export { formatStats, METRICS_TYPE } from './control-stats.ts'
export type { ControlStats } from './control-stats.ts'
export { DNS_HOOK_TIMEOUT, dnsHook } from './exec-dns.ts'
export type { DnsHookOptions } from './exec-dns.ts'
export { hashSecret } from './hash-secret.ts'
export { ID_TOKEN_LIFETIME } from './id-tokens.ts'
export { loadControlKey } from './key-file.ts'
export { claimNetwork } from './network-key.ts'
export { listenControl } from './listen-control.ts'
export type { Guest } from './guest.ts'
export type { ControlListener, ControlOptions, ServerCertificate } from './listen-control.ts'
export type { ControlLogger } from './logger.ts'
export { missingPostgresSteps, openPostgresStore } from './postgres-store.ts'
export type { PostgresOptions } from './postgres-store.ts'
export { missingSqliteSteps, openSqliteStore } from './sqlite-store.ts'
