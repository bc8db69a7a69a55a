// The state of one connection to the relay, from its first byte to its last.
import { FrameReader, serverFrameLimit } from '@mesh/wire/derp'
import type { Client } from './clients.ts'
import { KEEP_ALIVE, LOGIN_TIMEOUT, PEER_GONE_BURST, PEER_GONE_INTERVAL } from './constants.ts'
import type { Login } from './login.ts'
import { Outbox } from './outbox.ts'
import { TokenBucket } from './token-bucket.ts'

/** A number that names one connection; never used twice by one relay. */
export type ConnectionId = number

/** Why a relay closes a connection. */
export type CloseReason =
  /** ClientInfo or the admission did not come in time. */
  | 'login-timeout'
  /** ClientInfo was of bad length, did not open, or something else came first. */
  | 'bad-login'
  /** The admission said no. */
  | 'not-admitted'
  /** More bytes came than may wait for the admission. */
  | 'too-much'
  /** A frame of a length its type does not have. */
  | 'bad-frame'
  /** A frame that only relays of the same mesh may send. */
  | 'not-mesh'
  /** The stream took nothing for the write timeout. */
  | 'write-timeout'

/** A connection's place in its life. */
export type Phase = 'login' | 'admission' | 'open' | 'closed'

/** One connection. */
export interface Connection {
  readonly id: ConnectionId
  /** The other side's address, as the owner told it. */
  readonly source: string
  readonly reader: FrameReader
  readonly outbox: Outbox<Client<Connection>>
  /** Allows PeerGone "not here" frames. */
  readonly notHere: TokenBucket
  /** Milliseconds between this connection's keep-alives. */
  readonly keepAlive: number
  /** The clients whose audience this connection is in. */
  readonly heard: Set<Client<Connection>>
  phase: Phase
  /** When the login or the admission is overdue. */
  loginDeadline: number
  /** When the next keep-alive is due. */
  keepAliveAt: number
  /** What the login proved, until the connection is open. */
  login: Login | undefined
  /** Bytes that came during the admission. */
  held: number
  /** The client, once the connection is open. */
  client: Client<Connection> | undefined
  /** Whether the client called this relay its home. */
  preferred: boolean
  /** The ping data to be answered when the window has room again. */
  pong: Uint8Array | undefined
}

/** Returns a connection that has yet to log in. */
export function newConnection(
  id: ConnectionId,
  source: string,
  jitter: number,
  writeTimeout: number,
  now: number,
): Connection {
  return {
    id,
    source,
    reader: new FrameReader(serverFrameLimit),
    outbox: new Outbox(writeTimeout),
    notHere: new TokenBucket(PEER_GONE_BURST, PEER_GONE_INTERVAL, now),
    keepAlive: KEEP_ALIVE + jitter,
    heard: new Set(),
    phase: 'login',
    loginDeadline: now + LOGIN_TIMEOUT,
    keepAliveAt: Infinity,
    login: undefined,
    held: 0,
    client: undefined,
    preferred: false,
    pong: undefined,
  }
}
