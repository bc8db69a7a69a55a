// What comes out of the coordinator.

import type { MapResponse, RegisterResponse, SSHAction } from '@mesh/wire/control'
import type { PingOutcome } from './pings.ts'

/** What the map streams want done. `exchange` is the number the shell gave the request. */
export type StreamOutput =
  | { readonly kind: 'open'; readonly exchange: number }
  | { readonly kind: 'map-response'; readonly exchange: number; readonly response: MapResponse }
  | { readonly kind: 'end'; readonly exchange: number }

/** What the coordinator wants done. */
export type CoordinatorOutput =
  | StreamOutput
  | { readonly kind: 'register-response'; readonly exchange: number; readonly response: RegisterResponse }
  | { readonly kind: 'ssh-action'; readonly exchange: number; readonly action: SSHAction }
  | { readonly kind: 'taken'; readonly exchange: number }
  | {
      readonly kind: 'refuse'
      readonly exchange: number
      readonly status: 400 | 404 | 429 | 503
      readonly text: string
      /** When to ask again, seconds. */
      readonly retryAfter?: number
    }
  | ({ readonly kind: 'pong' } & PingOutcome)
  | { readonly kind: 'event'; readonly event: CoordinatorEvent; readonly node: number }

/** What happened to a node, for logs. */
export type CoordinatorEvent = 'registered' | 'online' | 'offline' | 'removed' | 'logged-out'
