// Where a case of paths plays: servers with public addresses, and nodes each behind a router of some kind.
import type { Lab } from '../netns/lab.ts'
import { ROUTERS } from '../nat/nat-rules.ts'
import { RELAY_PORT } from '../nat/programs/site.ts'
import { type Host, openTown, type Town } from '../nat/town.ts'
import { type Place, place } from './site.ts'

/** How a node reaches the internet: with an address of its own, or behind one of the routers. */
export type Standing = 'open' | keyof typeof ROUTERS

/** A node's place, and where its packets reach the internet. */
export interface Stand extends Place {
  readonly host: Host
}

/** The servers and the nodes, in the order in which they were asked for. */
export interface NatSite {
  readonly hub: Place
  readonly stands: readonly Stand[]
}

const HUB = '203.0.113.10'
/** A second relay: with one STUN server nobody can tell that a NAT gives each destination another port. */
const SECOND = '203.0.113.11'
const RELAYS = new URL('../nat/programs/relays.ts', import.meta.url)

/** The second relay's region, as headscale's files name it. */
export const SECOND_REGION = {
  998: {
    regionid: 998,
    regioncode: 'two',
    regionname: 'Two',
    nodes: [
      { name: '998a', regionid: 998, hostname: SECOND, ipv4: SECOND, stunport: 3478, derpport: RELAY_PORT },
    ],
  },
}

/** Builds it. */
export async function buildNatSite(lab: Lab, standings: readonly Standing[]): Promise<NatSite> {
  const town = await openTown(lab)
  const hub = await town.host('hub', [HUB, SECOND], [])
  await hub.inside.startNode(RELAYS, SECOND).waitFor(/listening/, 30_000)
  const stands: Stand[] = []
  for (const [index, standing] of standings.entries()) {
    const host = await settle(town, standing, index)
    stands.push({ ...place(host.inside, HUB), host })
  }
  return { hub: place(hub.inside, HUB), stands }
}

function settle(town: Town, standing: Standing, index: number): Promise<Host> {
  const name = `${standing}${index}`
  const outside = `203.0.113.${101 + index}`
  if (standing === 'open') return town.host(name, [outside], [])
  return town.home({ name, outside, network: `192.168.${101 + index}`, kind: ROUTERS[standing], routes: [] })
}
