// The state of one connection to the relay, from its first byte to its last.
import { TokenBucket } from '@mesh/sansio'
import { FrameReader, serverFrameLimit } from '@mesh/wire/derp'
import type { Allowance } from './allowance.ts'
import type { Client, SiblingId } from './clients.ts'
import { KEEP_ALIVE, LOGIN_TIMEOUT, PEER_GONE_BURST, PEER_GONE_INTERVAL } from './constants.ts'
import type { Login } from './login.ts'
import { Outbox } from './outbox.ts'
import type { Account } from './quotas.ts'

/** A number that names one connection; never used twice by one relay. */
export type ConnectionId = number

/** Why a relay closes a connection. */
export type CloseReason =
  /** More connections came than are taken in a second; not a byte of it was read. */
  | 'accept-limit'
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
  /** A relay of the same mesh asked for it. */
  | 'mesh-request'
  /** A mesh peer was too slow to hear who comes and goes. */
  | 'slow-watcher'
  /** The stream took nothing for the write timeout. */
  | 'write-timeout'

/** A connection's place in its life. */
export type Phase = 'login' | 'admission' | 'open' | 'closed'

/** Where a connection comes from, for the admission and for mesh peers. */
export interface Origin {
  /** The other side's address without the port; empty when unknown. */
  readonly source: string
  /** Its port; 0 when unknown. */
  readonly port?: number
  /** The client said that another relay of the region would have been better (the `Ideal-Node` header). */
  readonly notIdeal?: boolean
}

/** One connection. */
export interface Connection {
  readonly id: ConnectionId
  /** The other side, as the owner told it. */
  readonly origin: Origin
  readonly reader: FrameReader
  readonly outbox: Outbox<Client<Connection>>
  /** Allows PeerGone "not here" frames. */
  readonly notHere: TokenBucket
  /** Milliseconds between this connection's keep-alives. */
  readonly keepAlive: number
  /** The clients whose audience this connection is in. */
  readonly heard: Set<Client<Connection>>
  phase: Phase
  /** When the login or the admission is overdue, or the other parts of the relay have been waited for long enough. */
  loginDeadline: number
  /** When the next keep-alive is due. */
  keepAliveAt: number
  /** What the login proved, until it is answered. */
  login: Login | undefined
  /** The other parts of this relay that have yet to hear of the connection, before the login is answered. */
  unaware: Set<SiblingId> | undefined
  /** Bytes that came during the admission. */
  held: number
  /** The client, once the connection is open. */
  client: Client<Connection> | undefined
  /** Whether the client called this relay its home. */
  preferred: boolean
  /** Whether the login held the mesh key. */
  mesh: boolean
  /** What mesh peers are told of this connection's kind. */
  flags: number
  /** Whether it wants to know who comes and goes. */
  watching: boolean
  /** Arrivals and departures, as frames, that the window had no room for. */
  news: Uint8Array[]
  /** What it may still send, when there is a limit. */
  allowance: Allowance | undefined
  /** What everybody of its identity may still send, when the admission said so much. */
  account: Account | undefined
  /** When reading goes on; Infinity while it is not paused. */
  resumeAt: number
  /** The ping data to be answered when the window has room again. */
  pong: Uint8Array | undefined
}

/** Returns a connection that has yet to log in. */
export function newConnection(
  id: ConnectionId,
  origin: Origin,
  jitter: number,
  writeTimeout: number,
  now: number,
): Connection {
  return {
    id,
    origin,
    reader: new FrameReader(serverFrameLimit),
    outbox: new Outbox(writeTimeout),
    notHere: new TokenBucket(PEER_GONE_BURST, PEER_GONE_INTERVAL, now),
    keepAlive: KEEP_ALIVE + jitter,
    heard: new Set(),
    phase: 'login',
    loginDeadline: now + LOGIN_TIMEOUT,
    keepAliveAt: Infinity,
    login: undefined,
    unaware: undefined,
    held: 0,
    client: undefined,
    preferred: false,
    mesh: false,
    flags: 0,
    watching: false,
    news: [],
    allowance: undefined,
    account: undefined,
    resumeAt: Infinity,
    pong: undefined,
  }
}
