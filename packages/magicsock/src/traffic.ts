// WireGuard traffic with one peer, counted by path.

/** Packets and bytes that went one way. */
export interface Traffic {
  /** How many packets. */
  packets: number
  /** How many bytes, as WireGuard datagrams. */
  bytes: number
}

/** WireGuard traffic with one peer, by path. Disco is not in it. A packet sent two ways counts in both. */
export interface PeerTraffic {
  /** Sent over UDP to the peer itself. */
  readonly sentDirect: Traffic
  /** Sent over UDP through a peer relay. */
  readonly sentPeerRelay: Traffic
  /** Sent through a relay. */
  readonly sentRelay: Traffic
  /** Received over UDP from the peer itself. */
  readonly receivedDirect: Traffic
  /** Received over UDP through a peer relay. */
  readonly receivedPeerRelay: Traffic
  /** Received through a relay. */
  readonly receivedRelay: Traffic
}

/** Adds one packet to a counter. */
export function countPacket(traffic: Traffic, bytes: number): void {
  traffic.packets += 1
  traffic.bytes += bytes
}

/** Returns counters that all stand at zero. */
export function noTraffic(): PeerTraffic {
  return {
    sentDirect: none(),
    sentPeerRelay: none(),
    sentRelay: none(),
    receivedDirect: none(),
    receivedPeerRelay: none(),
    receivedRelay: none(),
  }
}

/** Returns a copy that counts no further. */
export function copyTraffic(traffic: PeerTraffic): PeerTraffic {
  return {
    sentDirect: { ...traffic.sentDirect },
    sentPeerRelay: { ...traffic.sentPeerRelay },
    sentRelay: { ...traffic.sentRelay },
    receivedDirect: { ...traffic.receivedDirect },
    receivedPeerRelay: { ...traffic.receivedPeerRelay },
    receivedRelay: { ...traffic.receivedRelay },
  }
}

function none(): Traffic {
  return { packets: 0, bytes: 0 }
}
