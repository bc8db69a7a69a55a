// Logging in as one table (control §3.1.3): the first row whose condition holds decides. A row answers at once, or says
// that a person has to decide; waiting-logins.ts keeps those. Refusals are answers with an Error text, never HTTP errors:
// clients retry those in silence.

import type { RandomSource } from '@mesh/sansio'
import type { RegisterRequest, RegisterResponse } from '@mesh/wire/control'
import { isZeroKey, parseTime } from '@mesh/wire/control'
import { keyMatches, keyPrefix, randomHex } from './key-text.ts'
import type { SecretHash } from './key-text.ts'
import { checkHostinfo } from './claims.ts'
import { ControlError } from './errors.ts'
import type { Network } from './network.ts'
import { isExpired, selfProfile } from './node-view.ts'
import type { Policies } from './policies.ts'
import type { NodeRecord, PreAuthKeyRecord, UserRecord } from './records.ts'

/** What the registrar works with. */
export interface RegistrarOptions {
  readonly network: Network
  readonly policies: Pick<Policies, 'unknownTags' | 'deniedTags'>
  readonly baseDomain: string
  readonly wallClock: () => number
  readonly random: RandomSource
  readonly hash: SecretHash
  /** How long a user-owned node's key lasts, milliseconds; 0 for ever. */
  readonly nodeKeyLifetime: number
  /** Whether a node that comes by an auth key waits for somebody's approval. */
  readonly nodeApproval: boolean
}

/** An answer, or `ask` when a person has to approve. */
export type RegisterDecision =
  | { readonly kind: 'answer'; readonly response: RegisterResponse; readonly loggedOut?: number }
  | { readonly kind: 'ask' }

/** A request, and what is known of who makes it. */
interface Situation {
  /** Who Noise says is asking. */
  readonly machineKey: string
  readonly request: RegisterRequest
  /** The node that has the node key of the request, be it this machine's or not. */
  readonly known: NodeRecord | undefined
  /** Whether the key of that node has expired. */
  readonly expired: boolean
  /** When the node wants its key to end; in the past to log out. */
  readonly wish: number | undefined
  readonly wantsOut: boolean
  /** The auth key; empty without one. */
  readonly authKey: string
  /** The tags it wants, cleaned. */
  readonly tags: readonly string[]
}

/** One row of the table. */
interface Row {
  /** What it is about, in words. */
  readonly when: string
  readonly holds: (situation: Situation) => boolean
  readonly decide: (situation: Situation) => RegisterDecision
}

/** Who will own a node, and by what right. */
interface Admission {
  readonly user: number | undefined
  readonly tags: readonly string[]
  /** The user who gives the tags: a node of theirs on this machine becomes the tagged one. */
  readonly approver?: number
  readonly method: NodeRecord['registerMethod']
  /** The key it comes in by, which it uses up. */
  readonly key: PreAuthKeyRecord | undefined
  readonly approved: boolean
  readonly ephemeral: boolean
}

const EMPTY_RESPONSE: RegisterResponse = {
  User: { ID: 0, DisplayName: '' },
  Login: { ID: 0, Provider: '', LoginName: '', DisplayName: '' },
  NodeKeyExpired: false,
  MachineAuthorized: false,
  AuthURL: '',
  NodeKeySignature: null,
  Error: '',
}
/** Makes the client come back with a fresh key. */
const KEY_EXPIRED: RegisterResponse = { ...EMPTY_RESPONSE, NodeKeyExpired: true }

/** Returns a refusal in words the user at the terminal reads. */
export function refusal(Error: string): RegisterResponse {
  return { ...EMPTY_RESPONSE, Error }
}

/** Returns the answer that sends a person to a page. */
export function askAt(AuthURL: string): RegisterResponse {
  return { ...EMPTY_RESPONSE, AuthURL }
}

/** Decides register requests against the network as it stands. */
export class Registrar {
  readonly #options: RegistrarOptions

  constructor(options: RegistrarOptions) {
    this.#options = options
  }

  readonly #table: readonly Row[] = [
    {
      when: 'there is no node key',
      holds: ({ request }) => isZeroKey(request.NodeKey),
      decide: () => answer(refusal('the node key is missing')),
    },
    {
      when: 'the node key is that of another machine',
      holds: ({ known, machineKey }) => known !== undefined && known.machineKey !== machineKey,
      decide: () => answer(refusal('node exists with a different machine key')),
    },
    {
      when: 'a node that is not there wants to log out, whatever else the request says',
      holds: ({ wantsOut, known }) => wantsOut && known === undefined,
      decide: () => answer(EMPTY_RESPONSE),
    },
    {
      when: 'a node wants to log out, whatever else the request says',
      holds: ({ wantsOut }) => wantsOut,
      decide: ({ known }) => this.#logOut(known as NodeRecord),
    },
    {
      when: 'a client of a node that is in starts again',
      holds: ({ known, expired }) => known !== undefined && !expired,
      decide: ({ known, wish }) => answer(this.#keep(known as NodeRecord, wish)),
    },
    {
      when: 'there is an auth key',
      holds: ({ authKey }) => authKey !== '',
      decide: (situation) => answer(this.#admitByKey(situation)),
    },
    {
      when: 'the login of the node has expired',
      holds: ({ known }) => known !== undefined,
      decide: () => answer(KEY_EXPIRED),
    },
    {
      // To let the machine in without them would leave it with a person's rights.
      when: 'a login wants tags that nobody may give it',
      holds: ({ tags }) => this.#options.policies.unknownTags(tags).length > 0,
      decide: ({ tags }) => {
        const unknown = this.#options.policies.unknownTags(tags)
        return answer(refusal(`requested tags [${unknown.join(', ')}] are invalid or not permitted`))
      },
    },
    {
      when: 'it is a new login',
      holds: () => true,
      decide: () => ({ kind: 'ask' }),
    },
  ]

  /** Decides one request without a followup. `machineKey` is what Noise proved. */
  decide(machineKey: string, request: RegisterRequest): RegisterDecision {
    const known = this.#options.network.nodeByKey(request.NodeKey)
    const wish = parseTime(request.Expiry)
    const situation: Situation = {
      machineKey,
      request,
      known,
      expired: known !== undefined && isExpired(known, this.#wall()),
      wish,
      wantsOut: wish !== undefined && wish < this.#wall(),
      authKey: request.Auth?.AuthKey ?? '',
      tags: checkHostinfo(request.Hostinfo ?? {}).RequestTags ?? [],
    }
    const row = this.#table.find(({ holds }) => holds(situation)) as Row
    return row.decide(situation)
  }

  /**
   * Lets a node in that a person approved for a user; tags that it asked for own it, if the user may give them. Throws
   * {@link ControlError} `ERR_CONTROL_NODE_TAGS` when they may not; then nothing is changed.
   */
  approve(machineKey: string, request: RegisterRequest, user: UserRecord): RegisterResponse {
    const tags = [...new Set(request.Hostinfo?.RequestTags ?? [])]
    const denied = this.#options.policies.deniedTags(user, tags)
    if (denied.length > 0) {
      const message = `The machine asks for ${denied.join(', ')}, which the policy does not let ${user.name} give: see its tagOwners.`
      throw new ControlError('ERR_CONTROL_NODE_TAGS', message)
    }
    return this.#admit(machineKey, request, {
      user: tags.length > 0 ? undefined : user.id,
      tags,
      approver: user.id,
      method: 'approved',
      key: undefined,
      approved: true,
      ephemeral: request.Ephemeral === true,
    })
  }

  /** Returns the answer to a login that waited and was decided; `undefined` when it was forgotten instead. */
  outcome(machineKey: string, request: RegisterRequest): RegisterResponse | undefined {
    const node = this.#options.network.nodeByKey(request.NodeKey)
    return node?.machineKey === machineKey ? this.#success(node) : undefined
  }

  #success(node: NodeRecord): RegisterResponse {
    const { network, baseDomain } = this.#options
    const { ID, LoginName, DisplayName } = selfProfile(node, network.user(node.user), baseDomain)
    return {
      ...EMPTY_RESPONSE,
      User: { ID, DisplayName },
      Login: { ID, Provider: 'mesh', LoginName, DisplayName },
      MachineAuthorized: node.approved,
    }
  }

  /** The client's own Expiry is an epoch of 1970; what is remembered is the moment of the logout. */
  #logOut(known: NodeRecord): RegisterDecision {
    if (known.ephemeral) this.#options.network.removeNode(known.id)
    else if (!isExpired(known, this.#wall()))
      this.#options.network.updateNode(known.id, { expiresAt: this.#wall() })
    return { kind: 'answer', response: KEY_EXPIRED, loggedOut: known.id }
  }

  /** Nothing is checked again, but the client of a user's node may shorten its key's life. */
  #keep(known: NodeRecord, wish: number | undefined): RegisterResponse {
    const mayExpire = known.tags.length === 0
    const shorter = wish !== undefined && (known.expiresAt === undefined || wish < known.expiresAt)
    return this.#success(
      mayExpire && shorter ? this.#options.network.updateNode(known.id, { expiresAt: wish }) : known,
    )
  }

  #admitByKey({ machineKey, request, authKey }: Situation): RegisterResponse {
    const { network, hash } = this.#options
    const key = network.preAuthKeyByPrefix(keyPrefix('auth', authKey) ?? '')
    if (!key || !keyMatches(authKey, key.secretHash, hash)) return refusal('invalid authkey')
    const unfit = this.#whyUnfit(key, request)
    if (unfit) return refusal(unfit)
    return this.#admit(machineKey, request, {
      user: key.tags.length > 0 ? undefined : key.user,
      tags: key.tags,
      method: 'auth-key',
      key,
      approved: key.preApproved || !this.#options.nodeApproval,
      ephemeral: key.ephemeral || request.Ephemeral === true,
    })
  }

  #whyUnfit(key: PreAuthKeyRecord, request: RegisterRequest): string | undefined {
    if (key.expiresAt !== undefined && key.expiresAt <= this.#wall()) return 'authkey expired'
    if (!key.reusable && key.usedAt !== undefined) return 'authkey already used'
    const wanted = request.Hostinfo?.RequestTags ?? []
    if (wanted.length > 0) return 'tags come from the auth key; leave out the tags of the request'
    return undefined
  }

  /** The same machine and owner is the same node with a new key; anything else is a new node (control §3.1.3). */
  #admit(machineKey: string, request: RegisterRequest, admission: Admission): RegisterResponse {
    const { network } = this.#options
    const same = this.#sameNode(machineKey, admission)
    const holder = network.nodeByKey(request.NodeKey)
    // The key is that of another owner's node on this machine: one key never names two nodes, so ask for a fresh one.
    if (holder && holder.id !== same?.id) return KEY_EXPIRED
    const node = same ? this.#rekey(same, request, admission) : this.#add(machineKey, request, admission)
    const { key } = admission
    if (key && key.usedAt === undefined) network.state.put('preAuthKeys', { ...key, usedAt: this.#wall() })
    return this.#success(node)
  }

  #sameNode(machineKey: string, { user, tags, approver }: Admission): NodeRecord | undefined {
    const nodes = this.#options.network.nodesOfMachine(machineKey)
    const isTagged = tags.length > 0
    const same = nodes.find((node) => node.user === user && node.tags.length > 0 === isTagged)
    return (
      same ?? (isTagged && approver !== undefined ? nodes.find((node) => node.user === approver) : undefined)
    )
  }

  #rekey(node: NodeRecord, request: RegisterRequest, admission: Admission): NodeRecord {
    return this.#options.network.updateNode(node.id, {
      nodeKey: request.NodeKey,
      // A key of tags gives them to new nodes only (control §3.1.4); what a machine asked for, and was given, counts.
      ...(admission.approver === undefined ? {} : { user: admission.user, tags: admission.tags }),
      expiresAt: this.#expiryFor(request, admission),
      registerMethod: admission.method,
      preAuthKey: admission.key?.id,
      // What was approved once stays approved.
      approved: node.approved || admission.approved,
      ephemeral: admission.ephemeral,
      capVersion: request.Version,
    })
  }

  #add(machineKey: string, request: RegisterRequest, admission: Admission): NodeRecord {
    return this.#options.network.addNode({
      stableId: `n${randomHex(this.#options.random, 8)}`,
      machineKey,
      nodeKey: request.NodeKey,
      discoKey: '',
      user: admission.user,
      tags: admission.tags,
      expiresAt: this.#expiryFor(request, admission),
      registerMethod: admission.method,
      preAuthKey: admission.key?.id,
      approved: admission.approved,
      ephemeral: admission.ephemeral,
      hostinfo: checkHostinfo(request.Hostinfo ?? {}),
      endpoints: [],
      approvedRoutes: [],
      capVersion: request.Version,
      createdAt: this.#wall(),
    })
  }

  /** Tagged nodes never expire; a user's may ask for less than the usual life, not for more. */
  #expiryFor(request: RegisterRequest, admission: Admission): number | undefined {
    if (admission.tags.length > 0) return undefined
    const { nodeKeyLifetime } = this.#options
    const usual = nodeKeyLifetime > 0 ? this.#wall() + nodeKeyLifetime : undefined
    const wish = parseTime(request.Expiry)
    if (wish === undefined) return usual
    return usual === undefined ? wish : Math.min(usual, wish)
  }

  #wall(): number {
    return this.#options.wallClock()
  }
}

function answer(response: RegisterResponse): RegisterDecision {
  return { kind: 'answer', response }
}
