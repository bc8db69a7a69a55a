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

/** What did not go straight. The rest is counted in the peer's row. */
export type Detours = Omit<PeerTraffic, 'sentDirect' | 'receivedDirect'>

/** Returns counters that all stand at zero. */
export function noDetours(): Detours {
  return { sentPeerRelay: none(), sentRelay: none(), receivedPeerRelay: none(), receivedRelay: none() }
}

/** Returns copies that count no further. */
export function trafficOf(sentDirect: Traffic, receivedDirect: Traffic, detours: Detours): PeerTraffic {
  return {
    sentDirect,
    sentPeerRelay: { ...detours.sentPeerRelay },
    sentRelay: { ...detours.sentRelay },
    receivedDirect,
    receivedPeerRelay: { ...detours.receivedPeerRelay },
    receivedRelay: { ...detours.receivedRelay },
  }
}

function none(): Traffic {
  return { packets: 0, bytes: 0 }
}
