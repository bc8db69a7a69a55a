// What the control client asks of its shell, and what it tells its owner.
import type { MapChanges, NetworkMap } from '@mesh/netmap'
import type { Login, PingRequest, User } from '@mesh/wire/control'
import type { ControlError } from './errors.ts'

/** Something the owner of a node must know. */
export type ControlEvent =
  /** The login succeeded. Keep `nodeKey` (private, 32 bytes): it is another than before when it was renewed. */
  | {
      readonly kind: 'event'
      readonly event: 'registered'
      readonly nodeKey: Uint8Array
      readonly oldNodeKey: Uint8Array | undefined
      readonly user: User
      readonly login: Login
    }
  /** A person must visit `url` to let the node in; the client waits for that. */
  | { readonly kind: 'event'; readonly event: 'auth-url'; readonly url: string }
  /** The map changed. After a reconnect the changes are those since the last map. */
  | {
      readonly kind: 'event'
      readonly event: 'map'
      readonly map: NetworkMap
      readonly changes: MapChanges
    }
  /** The map stream is up (its first map came) or down. */
  | { readonly kind: 'event'; readonly event: 'following'; readonly following: boolean }
  /** Something failed; it is tried again in `retryIn` milliseconds, `Infinity` when only a person can help. */
  | {
      readonly kind: 'event'
      readonly event: 'trouble'
      readonly error: ControlError
      readonly retryIn: number
    }
  /** Control wants `url` opened for the person. */
  | { readonly kind: 'event'; readonly event: 'browse'; readonly url: string }
  /** Control asks for a ping that only the owner can make: of a peer, by disco, TSMP, ICMP or peer API. */
  | { readonly kind: 'event'; readonly event: 'ping'; readonly request: PingRequest }
  /** Control has taken note of the logout, and the client has stopped; or `error` says why not, and it goes on. */
  | { readonly kind: 'event'; readonly event: 'logged-out'; readonly error?: ControlError }

/** Work for the shell. */
export type ControlOutput =
  /** Fetch the server's key, check it, shake hands; answer with `handleConnected` or `handleConnectFailed`. */
  | { readonly kind: 'connect' }
  /** Drop the connection, or the attempt; answer with nothing. */
  | { readonly kind: 'disconnect' }
  /** Send `body` to `path`, by POST unless `method` says otherwise; answer with `handleResponse`, `handleData`, `handleEnd`. */
  | {
      readonly kind: 'request'
      readonly id: number
      readonly path: string
      readonly body: Uint8Array
      readonly method?: 'PATCH'
    }
  /** Keep this private node key, which control is to hear of: answer with `handleKept` or `handleNotKept`. */
  | { readonly kind: 'keep'; readonly nodeKey: Uint8Array }
  /** A question was answered with a JSON document, or not: pass it on to whoever asked. */
  | { readonly kind: 'answer'; readonly id: number; readonly value?: unknown; readonly error?: ControlError }
  /** Stop a request; answer with nothing more about it. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** `HEAD` this address outside the control connection; the answer does not matter. */
  | { readonly kind: 'head'; readonly url: string }
  | ControlEvent
