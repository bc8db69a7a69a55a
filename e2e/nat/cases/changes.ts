// What happens to paths: mappings that expire, routers that reboot, hosts that move. The path comes back by itself.
import { ROUTERS, natRules } from '../nat-rules.ts'
import { type LabCase, wait } from './lab-case.ts'

const OUTSIDE = '203.0.113.101'
const MOVED = '203.0.113.111'

/** The cases. */
export const changes: readonly LabCase[] = [
  {
    name: 'the mapping expires after two seconds of silence',
    build: async (town) => {
      const a = await town.home({ name: 'a', outside: OUTSIDE, network: '192.168.1', kind: ROUTERS.linux })
      const b = await town.home({
        name: 'b',
        outside: '203.0.113.102',
        network: '192.168.2',
        kind: ROUTERS.portcone,
      })
      const timeouts = ['nf_conntrack_udp_timeout=2', 'nf_conntrack_udp_timeout_stream=2']
      await a.edge.run('sysctl', '-qw', ...timeouts.map((setting) => `net.netfilter.${setting}`))
      const event: Parameters<typeof wait>[0] = 8_000
      return [
        {
          name: 'a ~ b',
          one: a,
          two: b,
          expected: 'direct',
          event: async (one, two) => {
            for (const street of [one, two]) street.order({ order: 'rest', cell: 'pair', duration: event })
            await wait(event + 500)
          },
        },
      ]
    },
  },
  {
    name: 'the router reboots and forgets every mapping',
    build: async (town) => {
      const a = await town.home({ name: 'a', outside: OUTSIDE, network: '192.168.1', kind: ROUTERS.portcone })
      const b = await town.home({
        name: 'b',
        outside: '203.0.113.102',
        network: '192.168.2',
        kind: ROUTERS.portcone,
      })
      const event = async (): Promise<void> => {
        await a.edge.run('sh', '-ec', reboot(OUTSIDE))
        await wait(8_000)
      }
      return [{ name: 'a ~ b', one: a, two: b, expected: 'direct', event }]
    },
  },
  {
    name: 'the router comes back with another address outside',
    build: async (town) => {
      const a = await town.home({ name: 'a', outside: OUTSIDE, network: '192.168.1', kind: ROUTERS.portcone })
      const b = await town.home({
        name: 'b',
        outside: '203.0.113.102',
        network: '192.168.2',
        kind: ROUTERS.portcone,
      })
      const event = async (): Promise<void> => {
        const renumber = `ip address del ${OUTSIDE}/24 dev wan; ip address add ${MOVED}/24 dev wan`
        await a.edge.run('sh', '-ec', `${renumber}\n${reboot(MOVED)}`)
        await wait(8_000)
      }
      return [{ name: 'a ~ b', one: a, two: b, expected: 'direct', event }]
    },
  },
  {
    name: 'a host moves to another network, in the middle of a conversation',
    build: async (town) => {
      const from = await town.router({
        name: 'r',
        outside: OUTSIDE,
        network: '192.168.1',
        kind: ROUTERS.portcone,
      })
      const to = await town.router({ name: 's', outside: MOVED, network: '192.168.9', kind: ROUTERS.linux })
      const one = await town.behind(from, 'a')
      const two = await town.home({
        name: 'b',
        outside: '203.0.113.102',
        network: '192.168.2',
        kind: ROUTERS.portcone,
      })
      const event = async (): Promise<void> => {
        await town.move(one.inside, to)
        await wait(8_000)
      }
      return [{ name: 'a ~ b', one, two, expected: 'direct', event }]
    },
  },
]

/** Commands that forget connections and mappings; the rules are those of before. */
function reboot(outside: string): string {
  const rules = natRules(ROUTERS.portcone, outside)
  return `nft delete table ip nat_lab; conntrack -F 2>/dev/null; nft -f - <<'RULES'\n${rules}\nRULES`
}
