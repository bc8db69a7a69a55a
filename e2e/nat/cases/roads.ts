// Roads that are bad, closed, or of the other family.
import { ROUTERS, type Quirks } from '../nat-rules.ts'
import { type Host, NAT64_PREFIX, type Town } from '../town.ts'
import { BOTH_FAMILIES, type LabCase, type Verdict } from './lab-case.ts'

const PROXY = { address: '203.0.113.20', port: 3_128 }
const PROXY_PROGRAM = new URL('../programs/proxy.ts', import.meta.url)

/** The cases. */
export const roads: readonly LabCase[] = [
  road('30 % of the datagrams are lost', { loss: 30 }, 'lossy'),
  road('no datagram over 1 200 bytes passes', { maxLength: 1_200 }, 'direct'),
  road('whatever looks like WireGuard or disco is dropped', { dropsWireGuard: true }, 'relayed'),
  {
    name: 'nothing leaves but TCP to a proxy',
    build: async (town) => {
      const proxy = await town.host('proxy', [PROXY.address])
      await proxy.inside.startNode(PROXY_PROGRAM, PROXY.address, String(PROXY.port)).waitFor(/listening/)
      const one = await away(town, 'a', 101, { onlyProxy: PROXY })
      const two = await away(town, 'b', 102, {})
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
      const one = await town.translated('a', '203.0.113.101', '2001:db8::100', '2001:db8:1:0')
      const two = await away(town, 'b', 102, {})
      const environment = [[`LAB_NAT64=${NAT64_PREFIX}`], []] as const
      return [{ name: 'a ~ b', one, two, expected: 'direct', relays: BOTH_FAMILIES, environment }]
    },
  },
]

function road(name: string, quirks: Quirks, expected: Verdict): LabCase {
  return {
    name,
    build: async (town) => {
      const one = await away(town, 'a', 101, quirks)
      const two = await away(town, 'b', 102, {})
      return [{ name: 'a ~ b', one, two, expected }]
    },
  }
}

async function away(town: Town, name: string, number: number, quirks: Quirks): Promise<Host> {
  const settings = { name, outside: `203.0.113.${number}`, network: `192.168.${number}`, kind: ROUTERS.linux }
  return town.behind(await town.router({ ...settings, quirks }), name)
}

async function pairOf6(town: Town, families: readonly (4 | 6)[]): Promise<[Host, Host]> {
  const hosts: Host[] = []
  for (const [index, name] of ['a', 'b'].entries()) {
    const other = 1 - index
    const router = await town.router({
      name,
      outside: `203.0.113.${101 + index}`,
      network: `192.168.${101 + index}`,
      kind: ROUTERS.sym,
      v6: { outside: `2001:db8::10${index}`, network: `2001:db8:${index + 1}:0` },
      routes: [`2001:db8:${other + 1}::/64 via 2001:db8::10${other}`],
    })
    hosts.push(await town.behind(router, name, { families }))
  }
  return hosts as [Host, Host]
}
