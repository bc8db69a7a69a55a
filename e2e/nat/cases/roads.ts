// Roads that are bad, closed, or of the other family.
import type { Quirks } from '../nat-rules.ts'
import { RELAYS } from '../programs/site.ts'
import { type Host, NAT64_PREFIX, type Town } from '../town.ts'
import { home, outsideOf } from './homes.ts'
import { BOTH_FAMILIES, type LabCase, type Verdict } from './lab-case.ts'

const PROXY = { address: '203.0.113.20', port: 3_128 }
const PROXY_PROGRAM = new URL('../programs/proxy.ts', import.meta.url)

/** The cases. */
export const roads: readonly LabCase[] = [
  road('30 % of the datagrams are lost', { loss: 30 }, 'lossy'),
  road('no datagram over 1 200 bytes passes', { maxLength: 1_200 }, 'direct'),
  road('whatever looks like WireGuard or disco is dropped', { dropsWireGuard: true }, 'relayed'),
  {
    name: 'one STUN server alone, so that nobody but a peer sees that a NAT maps per destination',
    build: async (town) => {
      const [one, two] = [await town.home(home('a', 1, 'sym')), await town.home(home('b', 2, 'portcone'))]
      return [{ name: 'a ~ b', one, two, expected: 'direct', relays: RELAYS.slice(0, 1) }]
    },
  },
  {
    name: 'nothing leaves but TCP to a proxy',
    build: async (town) => {
      const proxy = await town.host('proxy', [PROXY.address])
      await proxy.inside.startNode(PROXY_PROGRAM, PROXY.address, String(PROXY.port)).waitFor(/listening/)
      const one = await town.home({ ...home('a', 1, 'linux'), quirks: { onlyProxy: PROXY } })
      const two = await town.home(home('b', 2, 'linux'))
      const url = `http://${PROXY.address}:${PROXY.port}`
      const environment = [[`HTTP_PROXY=${url}`, `HTTPS_PROXY=${url}`], []] as const
      return [{ name: 'a ~ b', one, two, expected: 'relayed', environment }]
    },
  },
  {
    name: 'IPv6 alone, behind firewalls that let in what answers',
    build: async (town) => {
      const [one, two] = await pairOf6(town, [6])
      return [{ name: 'a ~ b', one, two, expected: 'direct', relays: BOTH_FAMILIES }]
    },
  },
  {
    name: 'both families: hard NATs for IPv4, firewalls for IPv6',
    build: async (town) => {
      const [one, two] = await pairOf6(town, [4, 6])
      return [{ name: 'a ~ b', one, two, expected: 'direct' }]
    },
  },
  {
    name: 'IPv6 alone, in a network that translates (NAT64), and a peer with IPv4 alone',
    build: async (town) => {
      const one = await town.translated('a', outsideOf(1), '2001:db8::100', '2001:db8:1:0')
      const two = await town.home(home('b', 2, 'linux'))
      const environment = [[`LAB_NAT64=${NAT64_PREFIX}`], []] as const
      return [{ name: 'a ~ b', one, two, expected: 'direct', relays: BOTH_FAMILIES, environment }]
    },
  },
]

function road(name: string, quirks: Quirks, expected: Verdict): LabCase {
  return {
    name,
    build: async (town) => {
      const one = await town.home({ ...home('a', 1, 'linux'), quirks })
      const two = await town.home(home('b', 2, 'linux'))
      return [{ name: 'a ~ b', one, two, expected }]
    },
  }
}

async function pairOf6(town: Town, families: readonly (4 | 6)[]): Promise<[Host, Host]> {
  const hosts: Host[] = []
  for (const [index, name] of ['a', 'b'].entries()) {
    const other = 1 - index
    const router = await town.router({
      ...home(name, 1 + index, 'sym'),
      v6: { outside: `2001:db8::10${index}`, network: `2001:db8:${index + 1}:0` },
      routes: [`2001:db8:${other + 1}::/64 via 2001:db8::10${other}`],
    })
    hosts.push(await town.behind(router, name, { families }))
  }
  return hosts as [Host, Host]
}
