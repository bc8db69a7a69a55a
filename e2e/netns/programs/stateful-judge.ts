// A packet filter for a test: UDP to a port above 20,000 comes in only as an answer to what the host sent.
import { ACCEPT, DROP, type PacketJudge } from '@mesh/wireguard/node'

const UDP = 17
const FIRST_GUARDED = 20_000

/** Makes it. The packet threads import this. */
export function createJudge(): PacketJudge {
  const flows = new Set<number>()
  return {
    fromOverlay: (bytes, at) => {
      if (bytes[at + 9] === UDP) flows.add(port(bytes, at + 20) * 65_536 + port(bytes, at + 22))
      return ACCEPT
    },
    toOverlay: (bytes, at) => {
      if (bytes[at + 9] !== UDP || port(bytes, at + 22) <= FIRST_GUARDED) return ACCEPT
      return flows.has(port(bytes, at + 22) * 65_536 + port(bytes, at + 20)) ? ACCEPT : DROP
    },
  }
}

function port(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}
