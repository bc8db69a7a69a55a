// How paths are kept beyond what must be: control may ask for each of these, and is asked for none by most.

/** Ways to keep paths; what is left out is not done. */
export interface PathHabits {
  /**
   * Paths are left alone that serve without being asked (silent disco, section 5.6). No heartbeat then: what
   * `MagicSock.attribute` tells of keeps a path trusted, and one by which nothing comes back is pinged when something is sent
   * by it. Otherwise a path in use is pinged every three seconds.
   */
  readonly silentDisco?: boolean
  /**
   * It is found out, once a day for each path, how long it lives while nobody uses it (section 5.6); the status of the peer
   * tells. Of two nodes that would, the one with the smaller disco key does.
   */
  readonly probeUdpLifetime?: boolean
  /**
   * It is found out how large the packets are that paths carry, by pings of up to 9,000 bytes once a minute for each path in
   * use (section 4.5); the status of the peer tells. Sockets must send datagrams whole or not at all then.
   */
  readonly probePathMtu?: boolean
}
