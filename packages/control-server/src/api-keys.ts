// The keys by which an administrator's programs work from elsewhere. Whoever has one may do everything.

import type { MadeApiKey } from './admin.ts'
import { ControlError } from './errors.ts'
import { keyMatches, keyPrefix, makeKey, namesKey } from './key-text.ts'
import type { Network } from './network.ts'
import type { CoordinatorOptions } from './options.ts'
import type { ApiKeyRecord } from './records.ts'

/** Makes, finds and ends API keys. */
export class ApiKeys {
  readonly #network: Network
  readonly #options: CoordinatorOptions

  constructor(network: Network, options: CoordinatorOptions) {
    this.#network = network
    this.#options = options
  }

  /** Returns all API keys, ended ones too. */
  all(): readonly ApiKeyRecord[] {
    return [...this.#network.state.all('apiKeys').values()]
  }

  /** Makes a key that is good for `lifetime` milliseconds; for ever when left out. */
  create(lifetime?: number): MadeApiKey {
    const { random, hash, wallClock } = this.#options
    const { text, prefix, secretHash } = makeKey('api', random, hash)
    const createdAt = wallClock()
    const expiresAt = lifetime === undefined ? undefined : createdAt + lifetime
    return { text, key: this.#network.state.add('apiKeys', { prefix, secretHash, createdAt, expiresAt }) }
  }

  /** Has a key refused from now on, given its number, its prefix or its whole text. */
  expire(which: string): ApiKeyRecord {
    const expired = { ...this.#named(which), expiresAt: this.#options.wallClock() }
    this.#network.state.put('apiKeys', expired)
    return expired
  }

  /** Removes a key, named likewise. */
  delete(which: string): ApiKeyRecord {
    const key = this.#named(which)
    this.#network.state.remove('apiKeys', key.id)
    return key
  }

  /** Returns the key that this is the whole text of, if it is good now. */
  find(text: string): ApiKeyRecord | undefined {
    const prefix = keyPrefix('api', text)
    const key = prefix === undefined ? undefined : this.all().find((each) => each.prefix === prefix)
    if (!key || !keyMatches(text, key.secretHash, this.#options.hash)) return undefined
    return key.expiresAt !== undefined && key.expiresAt <= this.#options.wallClock() ? undefined : key
  }

  #named(which: string): ApiKeyRecord {
    const key = this.all().find((each) => namesKey(which, 'api', each))
    if (!key) throw new ControlError('ERR_CONTROL_KEY_UNKNOWN', 'There is no such API key.')
    return key
  }
}
