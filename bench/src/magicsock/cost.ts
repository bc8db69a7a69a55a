// What a packet costs magicsock, to send and to receive, with few and with many peers: it must not matter how many.
// Every peer has a direct path that is trusted. With all of them in use each packet goes to, or comes from, the next, and
// the processor's cache has forgotten what ten thousand packets ago was last needed; with ten of them in use it has not:
// the one shows what the cache is worth, the other what the number of peers costs.
import type { MagicSock } from '@mesh/magicsock'
import { DATAGRAM, type DirectPeer, manyPeers } from '@mesh/e2e/model/many-peers'
import type { Contestant } from '../rounds.ts'

/** How many peers there are, in turn. */
export const PEERS = [10, 1_000, 10_000] as const

const NOW = 1_000
const PACKETS_A_RUN = 1_000

/** How many of many peers talk at a time, in the control. */
export const FEW = 10

/** What sends and what receives a thousand packets. */
export interface Cost {
  readonly send: Contestant
  readonly receive: Contestant
}

/** Returns the cost among so many peers, with all of them in use and with {@link FEW}. */
export function costOf(count: number): { readonly all: Cost; readonly few: Cost } {
  const { sock, peers } = manyPeers(count, NOW)
  return {
    all: costWith(sock, peers, `${count}`),
    few: costWith(sock, peers.slice(0, FEW), `${count} with ${FEW} in use`),
  }
}

function costWith(sock: MagicSock, used: readonly DirectPeer[], name: string): Cost {
  let next = 0
  const runOver = (packet: (peer: DirectPeer) => void): number => {
    for (let i = 0; i < PACKETS_A_RUN; i += 1) {
      packet(used[next]!)
      next = next + 1 === used.length ? 0 : next + 1
    }
    return PACKETS_A_RUN
  }
  return {
    send: { name: `send ${name}`, run: () => runOver(({ config }) => sock.send(config.id, DATAGRAM, NOW)) },
    receive: {
      name: `receive ${name}`,
      run: () => runOver(({ endpoint }) => sock.handleDatagram(DATAGRAM, endpoint, NOW)),
    },
  }
}
