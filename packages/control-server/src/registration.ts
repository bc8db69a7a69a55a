// Logging in: the decision table of control §3.1.3, in its order. The table answers at once, or says that a person has
// to decide; pending.ts keeps the second kind. Refusals are answers with an Error text, never HTTP errors: clients
// retry those in silence.

import type { RandomSource } from '@mesh/sansio'
import type { RegisterRequest, RegisterResponse } from '@mesh/wire/control'
import { isZeroKey, parseTime } from '@mesh/wire/control'
import { authKeyMatches, authKeyPrefix, randomHex } from './auth-key.ts'
import type { SecretHash } from './auth-key.ts'
import { checkHostinfo } from './claims.ts'
import type { Network } from './network.ts'
import { isExpired, selfProfile } from './node-view.ts'
import type { NodeRecord, PreAuthKeyRecord } from './records.ts'
import type { Store } from './store.ts'

/** What the registrar works with. */
export interface RegistrarOptions {
  readonly network: Network
  readonly store: Store
  readonly baseDomain: string
  readonly wallClock: () => number
  readonly random: RandomSource
  readonly hash: SecretHash
  /** How long a user-owned node's key lasts, milliseconds; 0 for ever. */
  readonly nodeKeyLifetime: number
}

/** An answer, or `ask` when a person has to approve. */
export type RegisterDecision =
  | { readonly kind: 'answer'; readonly response: RegisterResponse; readonly loggedOut?: number }
  | { readonly kind: 'ask' }

/** Who will own a node, and by what right. */
interface Admission {
  readonly user: number | undefined
  readonly tags: readonly string[]
  readonly method: NodeRecord['registerMethod']
  readonly preAuthKey: number | undefined
  readonly ephemeral: boolean
  /** Uses up the right; throws {@link Refusal} when somebody else was faster. */
  readonly consume: () => void
}

/** Carries a refusal's text out of a transaction. */
class Refusal extends Error {}

const NOBODY = { ID: 0, DisplayName: '' }
const NO_LOGIN = { ID: 0, Provider: '', LoginName: '', DisplayName: '' }

/** Returns a refusal in words the user at the terminal reads. */
export function refusal(Error: string): RegisterResponse {
  return { ...EMPTY_RESPONSE, Error }
}

/** Returns the answer that sends a person to a page. */
export function askAt(AuthURL: string): RegisterResponse {
  return { ...EMPTY_RESPONSE, AuthURL }
}

const EMPTY_RESPONSE: RegisterResponse = {
  User: NOBODY,
  Login: NO_LOGIN,
  NodeKeyExpired: false,
  MachineAuthorized: false,
  AuthURL: '',
  NodeKeySignature: null,
  Error: '',
}

/** Decides register requests against the network as it stands. */
export class Registrar {
  readonly #options: RegistrarOptions

  constructor(options: RegistrarOptions) {
    this.#options = options
  }

  /** Decides one request without a followup. `machineKey` is what Noise proved. */
  decide(machineKey: string, request: RegisterRequest): RegisterDecision {
    const known = this.#options.network.nodeByKey(request.NodeKey)
    if (isZeroKey(request.NodeKey)) return answer(refusal('the node key is missing'))
    if (known && known.machineKey !== machineKey)
      return answer(refusal('node exists with a different machine key'))
    if (this.#isLogout(request)) return this.#logOut(known)
    const expired = known !== undefined && isExpired(known, this.#wall())
    if (known && !expired) return answer(this.#keep(known, request))
    const authKey = request.Auth?.AuthKey ?? ''
    if (authKey !== '') return answer(this.#admitWithKey(machineKey, request, authKey))
    if (known) return answer({ ...EMPTY_RESPONSE, NodeKeyExpired: true })
    const tags = checkHostinfo(request.Hostinfo ?? {}).RequestTags ?? []
    // Without a policy nobody may choose tags: to let the machine in without them would leave it with a person's rights.
    if (tags.length > 0)
      return answer(refusal(`requested tags [${tags.join(', ')}] are invalid or not permitted`))
    return { kind: 'ask' }
  }

  /** Lets a node in that a person approved for a user. */
  approve(machineKey: string, request: RegisterRequest, user: number): RegisterResponse {
    return this.#admit(machineKey, request, {
      user,
      tags: [],
      method: 'approved',
      preAuthKey: undefined,
      ephemeral: request.Ephemeral === true,
      consume: () => undefined,
    })
  }

  /** Returns the answer for a node that is in. */
  success(node: NodeRecord): RegisterResponse {
    const user = node.user === undefined ? undefined : this.#options.network.user(node.user)
    const profile = selfProfile(node, user, this.#options.baseDomain)
    const { ID, LoginName, DisplayName } = profile
    return {
      ...EMPTY_RESPONSE,
      User: { ID, DisplayName },
      Login: { ID, Provider: 'mesh', LoginName, DisplayName },
      MachineAuthorized: true,
    }
  }

  /** An Expiry of the past asks to log out, whatever else the request says. */
  #isLogout(request: RegisterRequest): boolean {
    const expiry = parseTime(request.Expiry)
    return expiry !== undefined && expiry < this.#wall()
  }

  /** The client's own Expiry is an epoch of 1970; what is remembered is the moment of the logout. */
  #logOut(known: NodeRecord | undefined): RegisterDecision {
    if (!known) return answer(EMPTY_RESPONSE)
    if (known.ephemeral) this.#options.network.removeNode(known.id)
    else if (!isExpired(known, this.#wall()))
      this.#options.network.updateNode(known.id, { expiresAt: this.#wall() })
    return { kind: 'answer', response: { ...EMPTY_RESPONSE, NodeKeyExpired: true }, loggedOut: known.id }
  }

  /** A plain restart of a client: nothing is checked again, but the client may shorten its key's life. */
  #keep(known: NodeRecord, request: RegisterRequest): RegisterResponse {
    const wish = parseTime(request.Expiry)
    const shorter = wish !== undefined && (known.expiresAt === undefined || wish < known.expiresAt)
    return this.success(shorter ? this.#options.network.updateNode(known.id, { expiresAt: wish }) : known)
  }

  #admitWithKey(machineKey: string, request: RegisterRequest, text: string): RegisterResponse {
    const { store, hash } = this.#options
    const prefix = authKeyPrefix(text)
    const key = prefix === undefined ? undefined : store.preAuthKeyByPrefix(prefix)
    if (!key || !authKeyMatches(text, key.secretHash, hash)) return refusal('invalid authkey')
    const unfit = this.#whyUnfit(key, request)
    if (unfit) return refusal(unfit)
    return this.#admit(machineKey, request, {
      user: key.tags.length > 0 ? undefined : key.user,
      tags: key.tags,
      method: 'auth-key',
      preAuthKey: key.id,
      ephemeral: key.ephemeral || request.Ephemeral === true,
      consume: () => {
        if (!store.consumePreAuthKey(key.id, this.#wall())) throw new Refusal('authkey already used')
      },
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
    const same = this.#options.network
      .nodesOfMachine(machineKey)
      .find((node) => node.user === admission.user && node.tags.length > 0 === admission.tags.length > 0)
    const holder = this.#options.network.nodeByKey(request.NodeKey)
    // The key is that of another owner's node on this machine: one key never names two nodes, so ask for a fresh one.
    if (holder && holder.id !== same?.id) return { ...EMPTY_RESPONSE, NodeKeyExpired: true }
    try {
      return this.success(
        same ? this.#rekey(same, request, admission) : this.#add(machineKey, request, admission),
      )
    } catch (error) {
      if (error instanceof Refusal) return refusal(error.message)
      throw error
    }
  }

  #rekey(node: NodeRecord, request: RegisterRequest, admission: Admission): NodeRecord {
    const change = {
      nodeKey: request.NodeKey,
      expiresAt: this.#expiryFor(request, admission),
      registerMethod: admission.method,
      preAuthKey: admission.preAuthKey,
      ephemeral: admission.ephemeral,
      capVersion: request.Version,
    }
    return this.#options.network.updateNode(node.id, change, admission.consume)
  }

  #add(machineKey: string, request: RegisterRequest, admission: Admission): NodeRecord {
    const draft = {
      stableId: `n${randomHex(this.#options.random, 8)}`,
      machineKey,
      nodeKey: request.NodeKey,
      discoKey: '',
      user: admission.user,
      tags: admission.tags,
      expiresAt: this.#expiryFor(request, admission),
      registerMethod: admission.method,
      preAuthKey: admission.preAuthKey,
      ephemeral: admission.ephemeral,
      hostinfo: checkHostinfo(request.Hostinfo ?? {}),
      endpoints: [],
      approvedRoutes: [],
      capVersion: request.Version,
      createdAt: this.#wall(),
      lastSeen: undefined,
    }
    return this.#options.network.addNode(draft, admission.consume)
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
