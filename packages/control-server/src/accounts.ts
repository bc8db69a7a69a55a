// Users and the keys made for them: what an administrator sets up before any machine comes.

import type { MadePreAuthKey, NewPreAuthKey, NewUser, UserFilter } from './admin.ts'
import { isTag, isUserName } from './admin.ts'
import { ControlError, quoted, shown } from './errors.ts'
import { makeKey, namesKey } from './key-text.ts'
import type { Network } from './network.ts'
import type { CoordinatorOptions } from './options.ts'
import type { PreAuthKeyRecord, UserRecord } from './records.ts'

/** The most characters of what people read. */
const MAX_DISPLAY_NAME = 255
/** The most characters of a picture's address. */
const MAX_URL = 2048

/** Makes and finds users and pre-auth keys. */
export class Accounts {
  readonly #network: Network
  readonly #options: CoordinatorOptions
  readonly #absorb: (now: number) => void

  /** @param absorb - Has the connected nodes hear what changed. */
  constructor(network: Network, options: CoordinatorOptions, absorb: (now: number) => void) {
    this.#network = network
    this.#options = options
    this.#absorb = absorb
  }

  /** Returns the users that are wanted; all when nothing is said. */
  users({ id, name, email }: UserFilter = {}): readonly UserRecord[] {
    return this.#network
      .users()
      .filter((user) => id === undefined || String(user.id) === id)
      .filter((user) => name === undefined || user.name === name)
      .filter((user) => email === undefined || user.email === email)
  }

  /** Returns the user of this number; `undefined` when there is none. */
  user(id: number | undefined): UserRecord | undefined {
    return this.#network.user(id)
  }

  /** Returns all pre-auth keys. */
  preAuthKeys(): readonly PreAuthKeyRecord[] {
    return this.#network.preAuthKeys()
  }

  /** Returns the user of this name or number. Throws {@link ControlError} when there is none. */
  userNamed(nameOrId: string): UserRecord {
    const user = this.#network.userByName(nameOrId) ?? this.#network.user(Number(nameOrId))
    if (!user) throw new ControlError('ERR_CONTROL_USER_UNKNOWN', `There is no user ${shown(nameOrId)}.`)
    return user
  }

  /** Makes a user. */
  createUser({ name, displayName = name, email, pictureUrl }: NewUser): UserRecord {
    checkUserName(name)
    checkDisplayName(displayName)
    this.#refuseEmail(email ?? name)
    return this.#network.addUser({
      name,
      displayName,
      ...(email === undefined ? {} : { email: checkedEmail(email) }),
      ...(pictureUrl === undefined ? {} : { pictureUrl: checkedPicture(pictureUrl) }),
      createdAt: this.#wall(),
    })
  }

  /** Changes a user's name, which peers see at once, and what people read, which becomes the name when left out. */
  renameUser(
    nameOrId: string,
    { name, displayName }: Pick<NewUser, 'name' | 'displayName'>,
    now: number,
  ): UserRecord {
    const user = this.userNamed(nameOrId)
    checkUserName(name)
    checkDisplayName(displayName)
    this.#refuseEmail(user.email ?? name, user.id)
    const renamed = this.#network.updateUser({ ...user, name, displayName: displayName ?? name })
    this.#absorb(now)
    return renamed
  }

  /** Removes a user who has no nodes, with their pre-auth keys. */
  deleteUser(nameOrId: string): UserRecord {
    const user = this.userNamed(nameOrId)
    const nodes = [...this.#network.nodes()].filter((node) => node.user === user.id)
    if (nodes.length > 0) {
      const names = nodes.slice(0, 3).map((node) => node.givenName)
      const message = `User ${user.name} still has ${nodes.length} nodes (${names.join(', ')}${nodes.length > 3 ? ', …' : ''}): delete them first.`
      throw new ControlError('ERR_CONTROL_USER_HAS_NODES', message)
    }
    this.#network.removeUser(user.id)
    return user
  }

  /** Makes a pre-auth key. */
  createPreAuthKey(wish: NewPreAuthKey): MadePreAuthKey {
    const { user, tags = [], reusable = false, ephemeral = false, preApproved = false, lifetime } = wish
    const badTag = tags.find((tag) => !isTag(tag))
    if (badTag !== undefined) {
      throw new ControlError('ERR_CONTROL_KEY_OPTIONS', `${quoted(badTag)} is no tag: write tag:name.`)
    }
    if (user === undefined && tags.length === 0) {
      throw new ControlError('ERR_CONTROL_KEY_OPTIONS', 'A pre-auth key needs a user or tags.')
    }
    const { random, hash } = this.#options
    const { text, prefix, secretHash } = makeKey('auth', random, hash)
    const createdAt = this.#wall()
    const key = this.#network.state.add('preAuthKeys', {
      prefix,
      secretHash,
      user: user === undefined ? undefined : this.userNamed(user).id,
      reusable,
      ephemeral,
      preApproved,
      tags,
      createdAt,
      expiresAt: lifetime === undefined ? undefined : createdAt + lifetime,
      usedAt: undefined,
    })
    return { text, key }
  }

  /** Makes a pre-auth key expire now, given its number, its prefix or its whole text. */
  expirePreAuthKey(which: string): PreAuthKeyRecord {
    const expired = { ...this.#keyNamed(which), expiresAt: this.#wall() }
    this.#network.state.put('preAuthKeys', expired)
    return expired
  }

  /** Removes a pre-auth key, named likewise. Nodes that came in with it stay, unless they are ephemeral and go away. */
  deletePreAuthKey(which: string): PreAuthKeyRecord {
    const key = this.#keyNamed(which)
    this.#network.removePreAuthKey(key.id)
    return key
  }

  /** A policy that names a mail address means one user. */
  #refuseEmail(email: string, except?: number): void {
    if (!email.includes('@')) return
    const holder = this.#network.users().find((user) => (user.email ?? user.name) === email)
    if (holder && holder.id !== except)
      throw new ControlError('ERR_CONTROL_USER_EXISTS', `User ${holder.name} has ${email} already.`)
  }

  #keyNamed(which: string): PreAuthKeyRecord {
    const key = this.#network.preAuthKeys().find((each) => namesKey(which, 'auth', each))
    if (!key) throw new ControlError('ERR_CONTROL_KEY_UNKNOWN', 'There is no such pre-auth key.')
    return key
  }

  #wall(): number {
    return this.#options.wallClock()
  }
}

function checkedEmail(text: string): string {
  if (/^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}$/.test(text)) return text
  throw new ControlError('ERR_CONTROL_USER_NAME', `${quoted(text)} is no mail address.`)
}

/** Everybody's clients fetch it. */
function checkedPicture(text: string): string {
  if (text.length <= MAX_URL && /^https?:\/\/[\w.:[\]-]+(\/[!#-;=?-~]*)?$/.test(text)) return text
  const message = `${quoted(text)} is no address of a picture: write https://….`
  throw new ControlError('ERR_CONTROL_USER_NAME', message)
}

/** Everybody's clients show it. */
function checkDisplayName(text = 'a'): void {
  if (
    text !== '' &&
    text.length <= MAX_DISPLAY_NAME &&
    text.isWellFormed() &&
    !/[\p{Cc}\p{Bidi_Control}]/u.test(text)
  )
    return
  const message = `${quoted(text)} cannot be a display name: use 1 to ${MAX_DISPLAY_NAME} characters, none of which steers a terminal.`
  throw new ControlError('ERR_CONTROL_USER_NAME', message)
}

function checkUserName(name: string): void {
  if (isUserName(name)) return
  const message = `${quoted(name)} cannot be a user name: use letters, digits and . _ - @ +`
  throw new ControlError('ERR_CONTROL_USER_NAME', message)
}
