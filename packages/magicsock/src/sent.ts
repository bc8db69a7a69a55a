// What a call of `send` did.

/** What `MagicSock.send` did: a set of bits. 0 means that nothing could be sent. */
export const SENT = {
  nothing: 0,
  direct: 1,
  relay: 2,
  both: 3,
  peerRelay: 4,
} as const
