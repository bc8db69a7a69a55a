// A STUN answerer on UDP sockets.

/** What {@link listenStun} is told. */
export interface StunListenerOptions {
  /** The UDP port; 3478 unless given, 0 takes a free one. */
  readonly port?: number
  /** The address to bind; absent or empty means every IPv4 and IPv6 address of the machine. */
  readonly address?: string
}

/** A STUN answerer that listens. */
export interface StunListener {
  /** The UDP port it listens on. */
  readonly port: number
  /** How many requests were answered. */
  readonly answered: number
  /** How many datagrams were no request of the kind answered here. */
  readonly ignored: number
  /** Stops listening. Idempotent. */
  close(): Promise<void>
}

/** Answers STUN binding requests. Rejects with the system's error, such as `EADDRINUSE`, when it cannot bind. */
export async function listenStun(options: StunListenerOptions = {}): Promise<StunListener> {
  throw new Error(`not yet: ${options.port}`)
}
