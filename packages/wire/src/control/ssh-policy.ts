// Who may open an SSH session here, and as whom (control protocol §3.12). The names are lowerCamel on the wire.

import { bool, dictionary, filled, int, type JsonDecoder, list, object, optional, text } from './schema.ts'

/** Who a rule is about; one field is set. */
export interface SSHPrincipal {
  /** A node's stable id. */
  readonly node?: string
  /** A source address. */
  readonly nodeIP?: string
  /** A login name. */
  readonly userLogin?: string
  /** Anybody. */
  readonly any?: boolean
}

/** What happens when a recorder fails. */
export interface SSHRecorderFailureAction {
  /** Refuse the session, saying this. */
  readonly RejectSessionWithMessage?: string
  /** End the session, saying this. */
  readonly TerminateSessionWithMessage?: string
  /** Where to tell. */
  readonly NotifyURL?: string
}

/** What to do with a session. */
export interface SSHAction {
  /** What to show. */
  readonly message?: string
  /** Refuse. */
  readonly reject?: boolean
  /** Let in. */
  readonly accept?: boolean
  /** How long it may last, nanoseconds. */
  readonly sessionDuration?: number
  /** Whether the agent may be forwarded. */
  readonly allowAgentForwarding?: boolean
  /** A URL that knows the next action. */
  readonly holdAndDelegate?: string
  /** Whether local ports may be forwarded. */
  readonly allowLocalPortForwarding?: boolean
  /** Whether remote ports may be forwarded. */
  readonly allowRemotePortForwarding?: boolean
  /** Where the session is recorded, `address:port`. */
  readonly recorders?: readonly string[]
  /** What happens when no recorder answers. */
  readonly onRecordingFailure?: SSHRecorderFailureAction
}

/** One rule; the first that matches decides. */
export interface SSHRule {
  /** When the rule ends. */
  readonly ruleExpires?: string
  /** Who it is about. */
  readonly principals?: readonly SSHPrincipal[]
  /** From the asked user to the local one; `*` for any, `=` for the same, empty for none. */
  readonly sshUsers?: Readonly<Record<string, string>>
  /** What to do. */
  readonly action?: SSHAction
  /** Environment names that are taken over, with wildcards. */
  readonly acceptEnv?: readonly string[]
}

/** All rules, in order; none means nobody. */
export interface SSHPolicy {
  /** The rules. */
  readonly rules: readonly SSHRule[]
}

/** Reads one action. */
export const decodeSSHAction: JsonDecoder<SSHAction> = object<SSHAction>({
  message: optional(text),
  reject: optional(bool),
  accept: optional(bool),
  sessionDuration: optional(int),
  allowAgentForwarding: optional(bool),
  holdAndDelegate: optional(text),
  allowLocalPortForwarding: optional(bool),
  allowRemotePortForwarding: optional(bool),
  recorders: optional(list(text)),
  onRecordingFailure: optional(
    object<SSHRecorderFailureAction>({
      RejectSessionWithMessage: optional(text),
      TerminateSessionWithMessage: optional(text),
      NotifyURL: optional(text),
    }),
  ),
})

const decodeRule: JsonDecoder<SSHRule> = object<SSHRule>({
  ruleExpires: optional(text),
  principals: optional(
    list(
      object<SSHPrincipal>({
        node: optional(text),
        nodeIP: optional(text),
        userLogin: optional(text),
        any: optional(bool),
      }),
    ),
  ),
  sshUsers: optional(dictionary(text)),
  action: optional(decodeSSHAction),
  acceptEnv: optional(list(text)),
})

/** Reads a policy; absent rules mean none. */
export const decodeSSHPolicy: JsonDecoder<SSHPolicy> = object<SSHPolicy>({
  rules: filled(list(decodeRule), []),
})
