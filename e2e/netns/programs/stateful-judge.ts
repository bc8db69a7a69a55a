// A packet filter for a test: UDP to a port above 20,000 comes in only as an answer to what the host sent.
import { ACCEPT, DROP, type PacketJudge } from '@mesh/wireguard/node'

const UDP = 17
const FIRST_GUARDED = 20_000

/** Makes it. The packet threads import this. */
export function createJudge(): PacketJudge {
  const flows = new Set<number>()
  return {
    fromOverlay: (packet) => {
      if (packet[9] === UDP) flows.add(port(packet, 20) * 65_536 + port(packet, 22))
      return ACCEPT
    },
    toOverlay: (packet) => {
      if (packet[9] !== UDP || port(packet, 22) <= FIRST_GUARDED) return ACCEPT
      return flows.has(port(packet, 22) * 65_536 + port(packet, 20)) ? ACCEPT : DROP
    },
  }
}

function port(packet: Uint8Array, at: number): number {
  return ((packet[at] ?? 0) << 8) | (packet[at + 1] ?? 0)
}
