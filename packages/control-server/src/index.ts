/**
 * The coordinator of a mesh: who is in the network, which address and name each node has, and what every node is told
 * of the others. It speaks the control protocol of unmodified Tailscale clients and remembers everything in a store.
 *
 * @packageDocumentation
 */
export type { DeviceAttribute, DeviceAttributes } from './device-attributes.ts'
export { EXPIRY_WARNING } from './display-messages.ts'
export type {
  MadeApiKey,
  MadePreAuthKey,
  NewPreAuthKey,
  NewUser,
  NodeChoice,
  NodeStatus,
  UserFilter,
} from './admin.ts'
export type { SecretHash } from './key-text.ts'
export { Accounts } from './accounts.ts'
export { ApiKeys } from './api-keys.ts'
export { MAX_NODE_ENTRIES } from './audit.ts'
export type { Actor, AuditEntry, AuditFields, AuditQuery, AuditWrites } from './audit.ts'
export { CHALLENGE_LIFETIME, Challenges } from './certificates.ts'
export type { Challenge, ChallengesOptions, DnsProvider, TxtRecord } from './certificates.ts'
export { CLIENT_CALL_TIMEOUT } from './client-call.ts'
export type { ClientAnswer, ClientCall } from './client-call.ts'
export type { ClientRelease } from './client-notices.ts'
export { Coordinator } from './coordinator.ts'
export { BATCH_INTERVAL, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_JITTER } from './coordinator-limits.ts'
export type { CoordinatorEvent, CoordinatorOutput, StreamOutput } from './coordinator-output.ts'
export { relayMap } from './relay-map.ts'
export type { RelayEntry } from './relay-map.ts'
export { ControlError } from './errors.ts'
export type { ControlErrorCode } from './errors.ts'
export { AUDIT_RETENTION, checkOptions, EPHEMERAL_TIMEOUT } from './options.ts'
export type { CheckedOptions, CoordinatorOptions } from './options.ts'
export { MemoryDns } from './memory-dns.ts'
export { MemoryStore } from './memory-store.ts'
export { PING_TIMEOUT } from './pings.ts'
export type { PingKind, PingOutcome, PingQuestion } from './pings.ts'
export { LoginDecisions } from './login-decisions.ts'
export type { LoginDecisionsOptions } from './login-decisions.ts'
export { NodeQuestions } from './node-questions.ts'
export type { NodeQuestionsOptions } from './node-questions.ts'
export { NodeReports } from './node-reports.ts'
export { Nodes } from './nodes.ts'
export type { NodesOptions } from './nodes.ts'
export { Policies } from './policies.ts'
export type { PoliciesOptions } from './policies.ts'
export { PROBE_INTERVAL } from './router-probes.ts'
export { OFFLINE_GRACE, RECONNECT_GRACE } from './presence.ts'
export type {
  ApiKeyRecord,
  Kind,
  LoginRecord,
  NodeRecord,
  PolicyRecord,
  PreAuthKeyRecord,
  Records,
  ReservationRecord,
  SshCheckRecord,
  UserRecord,
} from './records.ts'
export { SSH_CHECK_LIFETIME, SshChecks } from './ssh-checks.ts'
export type { SshChecksOptions, SshQuestion } from './ssh-checks.ts'
export { Reservations } from './reservations.ts'
export { CommandQueue } from './command-queue.ts'
export type { CommandQueueOptions } from './command-queue.ts'
export { MapStreams } from './map-streams.ts'
export type { MapStreamsOptions } from './map-streams.ts'
export type { Attendance, Changes, Counters, News, Store, StoreListener, Writes } from './store.ts'
