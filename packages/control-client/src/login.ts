// Logging in (control protocol §3.1): which register request comes next, and what an answer means. It knows no
// connection and no time; the client sends what `request` returns and hands in what comes back.
import { generatePrivateKey, formatNodeKey, publicKeyOf } from '@mesh/keys'
import type { RandomSource } from '@mesh/sansio'
import {
  type Hostinfo,
  type Login as LoginProfile,
  LOGOUT_EXPIRY,
  type NodeKeyText,
  type RegisterRequest,
  type RegisterResponse,
  type User,
  ZERO_NODE_KEY_TEXT,
  ZERO_TIME,
} from '@mesh/wire/control'
import { ControlError } from './errors.ts'

/** What a login starts from. */
export interface LoginOptions {
  /** The capability version to claim. */
  readonly version: number
  /** The node's private key. */
  readonly nodeKey: Uint8Array
  /** The private key before it, if it was renewed once. */
  readonly oldNodeKey?: Uint8Array | undefined
  /** The private key that was kept to come after it, see {@link LoginStep} `keep`: control may know it already, or not. */
  readonly nextNodeKey?: Uint8Array | undefined
  /** The auth key; a secret. */
  readonly authKey?: string | undefined
  /** Whether the node is to be forgotten once it goes away. */
  readonly ephemeral?: boolean | undefined
  /** Whether a login page may be plain http: only when control itself is. */
  readonly allowHttp: boolean
  /** Where new node keys come from. */
  readonly random: RandomSource
}

/** What an answer means. */
export type LoginStep =
  /** Send the next request at once. */
  | { readonly kind: 'again' }
  /** A person must visit `url`; send the next request, which waits for that. `fresh` is false when it was known. */
  | { readonly kind: 'visit'; readonly url: string; readonly fresh: boolean }
  /** A new node key must be kept before control hears of it: then {@link Login.handleKept}, and the next request. */
  | { readonly kind: 'keep'; readonly nodeKey: Uint8Array }
  /** The node is in. */
  | { readonly kind: 'done'; readonly user: User; readonly login: LoginProfile }
  /** It will not be let in like this. */
  | { readonly kind: 'failed'; readonly error: ControlError }

/** One node's way in. Lives as long as the client, for a node may have to log in more than once. */
export class Login {
  readonly #options: LoginOptions
  #nodeKey: Uint8Array
  #oldNodeKey: Uint8Array | undefined
  #nextNodeKey: Uint8Array | undefined
  #followup = ''
  #renewed = false

  constructor(options: LoginOptions) {
    this.#options = options
    this.#nodeKey = options.nodeKey
    this.#oldNodeKey = options.oldNodeKey
    this.#nextNodeKey = options.nextNodeKey
  }

  /** The node's private key, as far as the login has come. */
  get nodeKey(): Uint8Array {
    return this.#nodeKey
  }

  /** The private key before it, if there was one. */
  get oldNodeKey(): Uint8Array | undefined {
    return this.#oldNodeKey
  }

  /** The node's public key as text. */
  get nodeKeyText(): NodeKeyText {
    return formatNodeKey(publicKeyOf(this.#nodeKey))
  }

  /** Whether the next request waits for a person, however long that takes. */
  get waits(): boolean {
    return this.#followup !== ''
  }

  /** Returns the next request. */
  request(hostinfo: Hostinfo): RegisterRequest {
    const { version, authKey, ephemeral } = this.#options
    return {
      Version: version,
      NodeKey: this.nodeKeyText,
      OldNodeKey: this.#oldNodeKey ? formatNodeKey(publicKeyOf(this.#oldNodeKey)) : ZERO_NODE_KEY_TEXT,
      NLKey: NO_LOCK_KEY,
      ...(authKey ? { Auth: { AuthKey: authKey } } : {}),
      Expiry: ZERO_TIME,
      Followup: this.#followup,
      Hostinfo: hostinfo,
      ...(ephemeral === true ? { Ephemeral: true } : {}),
      NodeKeySignature: null,
    }
  }

  /** Returns the request that ends the login: one whose expiry has passed. */
  logoutRequest(hostinfo: Hostinfo): RegisterRequest {
    const { Auth: _, ...request } = this.request(hostinfo)
    return { ...request, Expiry: LOGOUT_EXPIRY, Followup: '' }
  }

  /** Takes the answer to the last request. */
  handleAnswer(answer: RegisterResponse): LoginStep {
    const { Error: error, NodeKeyExpired, AuthURL } = answer
    if (error === '' && !NodeKeyExpired && AuthURL === '') return this.#finish(answer)
    // Whatever is held against this key, control may have taken the next one before anybody here could note that.
    if (this.#nextNodeKey) return this.#goOnWith(this.#nextNodeKey)
    if (error !== '') return this.#fail('ERR_CONTROL_REFUSED', oneSentence(error))
    return NodeKeyExpired ? this.#renew() : this.#visit(AuthURL)
  }

  /** Takes that a new node key is kept; the next request has it. */
  handleKept(nodeKey: Uint8Array): void {
    this.#renewed = true
    this.#goOnWith(nodeKey)
  }

  #finish(answer: RegisterResponse): LoginStep {
    this.#followup = ''
    this.#nextNodeKey = undefined
    this.#renewed = false
    return { kind: 'done', user: answer.User, login: answer.Login }
  }

  /** Makes a new node key, once: a fresh key that is called expired means that the server is confused. */
  #renew(): LoginStep {
    if (this.#renewed) {
      return this.#fail(
        'ERR_CONTROL_PROTOCOL',
        'the control server says that a brand-new node key has expired',
      )
    }
    return { kind: 'keep', nodeKey: generatePrivateKey(this.#options.random) }
  }

  #goOnWith(nodeKey: Uint8Array): LoginStep {
    this.#oldNodeKey = this.#nodeKey
    this.#nodeKey = nodeKey
    this.#nextNodeKey = undefined
    this.#followup = ''
    return { kind: 'again' }
  }

  #visit(url: string): LoginStep {
    if (!isVisitable(url, this.#options.allowHttp)) {
      return this.#fail(
        'ERR_CONTROL_PROTOCOL',
        'the control server names a login page that is not a https address',
      )
    }
    const fresh = url !== this.#followup
    this.#followup = url
    return { kind: 'visit', url, fresh }
  }

  #fail(code: 'ERR_CONTROL_REFUSED' | 'ERR_CONTROL_PROTOCOL', message: string): LoginStep {
    this.#followup = ''
    this.#renewed = false
    return { kind: 'failed', error: new ControlError(code, message) }
  }
}

/** Returns whether a page may be shown to the person: https, or http when control itself is plain http. */
export function isVisitable(url: string, allowHttp: boolean): boolean {
  if (!/^[\x21-\x7e]+$/.test(url)) return false
  return url.startsWith('https://') || (allowHttp && url.startsWith('http://'))
}

/** A tailnet lock key that says there is none. */
const NO_LOCK_KEY = `nlpub:${'0'.repeat(64)}`

/** Returns the server's text without control characters, cut to a length a terminal can bear. */
function oneSentence(text: string): string {
  return text
    .slice(0, 500)
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, ' ')
    .trim()
}
