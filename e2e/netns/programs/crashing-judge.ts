// A packet filter for a test: it refuses what is for UDP port 9, and falls over when it sees 999 bytes of ping.
import { ACCEPT, DROP, type PacketJudge } from '@mesh/wireguard/node'

const PING = 1
const UDP = 17
const DISCARD = 9

/** Makes it. The packet thread imports this. */
export function createJudge(): PacketJudge {
  return {
    fromOverlay: (bytes, at, length) => {
      if (bytes[at + 9] === PING && length === 20 + 8 + 999) throw new Error('fell over')
      return bytes[at + 9] === UDP && bytes[at + 23] === DISCARD ? DROP : ACCEPT
    },
    toOverlay: () => ACCEPT,
  }
}
