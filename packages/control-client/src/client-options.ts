// What a control client starts from, and how patient it is.
import type { RandomSource } from '@mesh/sansio'
import type { DiscoKeyText, Hostinfo, Zstd } from '@mesh/wire/control'
import type { AnswerCall } from './c2n.ts'

/** A connection attempt that takes longer is given up: 15 s for the key, the dial and the handshake together. */
export const CONNECT_TIMEOUT = 15_000

/** An answer that is not held back on purpose must come within this. */
export const REQUEST_TIMEOUT = 120_000

/** A map stream that lasted this long was a good one: the next failure counts as the first again. */
export const STEADY_AFTER = 3_000

/** What a control client starts from. */
export interface ControlClientOptions {
  /** The node's private key, 32 bytes. */
  readonly nodeKey: Uint8Array
  /** The private key before it, if it was renewed once. */
  readonly oldNodeKey?: Uint8Array | undefined
  /** The private key that was kept to come after it (output `keep`), if nothing came of that yet. */
  readonly nextNodeKey?: Uint8Array | undefined
  /** The node's disco public key as text. */
  readonly discoKey: DiscoKeyText
  /** The machine under the node. */
  readonly hostinfo: Hostinfo
  /** The auth key; a secret. Without one a person must approve, unless the node is already known. */
  readonly authKey?: string | undefined
  /** Whether the node is to be forgotten once it goes away. */
  readonly ephemeral?: boolean | undefined
  /** Whether login pages may be plain http: only when control itself is. */
  readonly allowHttp?: boolean | undefined
  /** The capability version to claim; `CAPABILITY_VERSION` when left out. */
  readonly version?: number | undefined
  /** Unpacks map messages; without it plain JSON is asked for. */
  readonly zstd?: Zstd | undefined
  /** Answers what control asks the node's own handlers; only `/echo` is answered when left out. */
  readonly answerCall?: AnswerCall | undefined
  /** Where randomness comes from. */
  readonly random: RandomSource
  /** Tells the wall time, milliseconds since 1970. */
  readonly wallNow: () => number
}
