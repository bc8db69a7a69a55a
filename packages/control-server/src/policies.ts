// The policy in force: the newest that was written, else the one the server was started with. What is written is read and
// its own tests are run before it is taken, so a policy that fails leaves the old one in force (control 54).

import { compile, hasTag, ownsTag, PolicyError, readPolicy, testPolicy } from '@mesh/policy'
import type { CompiledPolicy, DevicePosture, NodePolicy, Policy, PolicyNode, PolicyUser } from '@mesh/policy'
import { postureOf } from './device-posture.ts'
import { ControlError } from './errors.ts'
import type { Network } from './network.ts'
import type { CoordinatorOptions } from './options.ts'
import type { NodeRecord, PolicyRecord, UserRecord } from './records.ts'
import { isInsideMesh, normalRoute, servableRoutes } from './routes.ts'

/** Nobody may reach anybody: in force when a stored policy cannot be read, which only a later version can have written. */
const NOTHING: Policy = readPolicy('{"acls":[]}')

/** What a node may do that nobody approved yet: nothing. */
const ALONE: NodePolicy = {
  packetFilter: [],
  sshPolicy: { rules: [] },
  sshCheckPeriod: () => undefined,
  attributes: {},
  approved: () => [],
  uses: () => [],
  sees: () => false,
  kind: -1,
  seesAlike: false,
  verdict: () => ({ allowed: false, reason: 'The node waits for approval.' }),
}

/** What the policies of a network stand on. */
export interface PoliciesOptions extends Pick<CoordinatorOptions, 'wallClock'> {
  /** The network that they are written for. */
  readonly network: Network
  /** In force until one is written. */
  readonly fallback: Policy
  /** Has the connected nodes hear what changed. */
  readonly absorb: (now: number) => void
}

/** Knows the policy in force, and puts another in its place. */
export class Policies {
  readonly #options: PoliciesOptions
  readonly #network: Network
  #read: { readonly text: string | undefined; readonly policy: Policy }

  constructor(options: PoliciesOptions) {
    this.#options = options
    this.#network = options.network
    this.#read = { text: undefined, policy: options.fallback }
  }

  /** Returns the policy in force, as it was written; `undefined` when none was. */
  written(): PolicyRecord | undefined {
    return this.#network.policy()
  }

  /** Puts a policy in force. Throws {@link ControlError} `ERR_CONTROL_POLICY`; then the one before stays. */
  set(text: string, now: number): PolicyRecord {
    this.check(text)
    const record = this.#network.addPolicy({ text, createdAt: this.#options.wallClock() })
    for (const node of this.#network.nodes()) this.approveRoutes(node)
    this.#options.absorb(now)
    return record
  }

  /** The policy in force. */
  get current(): Policy {
    const text = this.#network.policy()?.text
    // Not by its number: a backup, or what is written after a failure, may bring another policy of the same.
    if (this.#read.text !== text)
      this.#read = { text, policy: text === undefined ? this.#options.fallback : readStored(text) }
    return this.#read.policy
  }

  /**
   * Throws {@link ControlError} `ERR_CONTROL_POLICY` when a policy cannot be taken: it makes no sense, or fails one of its
   * own tests. Changes nothing.
   */
  check(text: string): void {
    try {
      const users = this.#users()
      const domains = users.map(({ email }) => email?.split('@')[1]).filter((domain) => domain !== undefined)
      testPolicy(readPolicy(text, domains.length > 0 ? { domains } : {}), this.#nodes(), users)
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error
      const message = [error.message, ...error.details].join('\n')
      throw new ControlError('ERR_CONTROL_POLICY', message, { cause: error })
    }
  }

  /** Returns the tags that nobody may give to a machine. */
  unknownTags(tags: readonly string[]): readonly string[] {
    return tags.filter((tag) => !hasTag(this.current, tag))
  }

  /** Returns the tags that a user may not give to a machine. */
  deniedTags(user: UserRecord, tags: readonly string[]): readonly string[] {
    return tags.filter((tag) => !ownsTag(this.current, policyUser(user), tag))
  }

  /** Returns what the policy looks at of a node's device; nothing when it does not. */
  postureOf(node: NodeRecord): DevicePosture | undefined {
    return asksForPosture(this.current) ? postureOf(node) : undefined
  }

  /** Works out what the policy means for every node. */
  compile(): CompiledPolicy {
    const compiled = compile(this.current, this.#nodes(), this.#users())
    const waiting = new Set(
      Array.from(this.#network.nodes())
        .filter((node) => !node.approved)
        .map(({ id }) => id),
    )
    if (waiting.size === 0) return compiled
    return { forNode: (id) => (waiting.has(id) ? ALONE : compiled.forNode(id)) }
  }

  /**
   * Approves of the routes that a node offers those the policy approves. What was approved once stays approved, whatever a
   * later policy says: it may be an administrator's word.
   */
  approveRoutes(node: NodeRecord): void {
    const approvedRoutes = this.#approvedRoutes(node)
    if (approvedRoutes) this.#network.updateNode(node.id, { approvedRoutes })
  }

  /** Returns the routes that a node may serve when those the policy approves are added; nothing when none is. */
  #approvedRoutes(node: NodeRecord): readonly string[] | undefined {
    const offered = (node.hostinfo.RoutableIPs ?? []).filter((route) => !node.approvedRoutes.includes(route))
    if (offered.length === 0 || this.current.kind === 'allow-all') return undefined
    const approved = compile(this.current, [this.#policyNode(node)], this.#users())
      .forNode(node.id)
      ?.approved(offered)
      .filter((route) => normalRoute(route) === route && !isInsideMesh(route))
    return approved && approved.length > 0 ? [...node.approvedRoutes, ...approved] : undefined
  }

  #nodes(): readonly PolicyNode[] {
    return Array.from(this.#network.nodes())
      .filter((node) => node.approved)
      .map((node) => this.#policyNode(node))
  }

  #policyNode(node: NodeRecord): PolicyNode {
    const { id, user, tags, ipv4, ipv6 } = node
    const posture = this.postureOf(node)
    const routes = servableRoutes(node)
    return { id, user, tags, addresses: [ipv4, ipv6], routes, ...(posture ? { posture } : {}) }
  }

  #users(): readonly PolicyUser[] {
    return this.#network.users().map(policyUser)
  }
}

function readStored(text: string): Policy {
  try {
    return readPolicy(text)
  } catch (error) {
    if (error instanceof PolicyError) return NOTHING
    throw error
  }
}

function asksForPosture(policy: Policy): boolean {
  return policy.kind === 'written' && policy.asksForPosture
}

/** A login name that looks like a mail address is taken for one, where no other is known. */
function policyUser({ id, name, email = name }: UserRecord): PolicyUser {
  return { id, name, ...(email.includes('@') ? { email } : {}) }
}
