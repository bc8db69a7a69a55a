// What happens to paths: mappings that expire, routers that reboot, hosts that move. The path comes back by itself.
import { ROUTERS, natRules } from '../nat-rules.ts'
import type { Street } from '../street.ts'
import type { Host, Town } from '../town.ts'
import { home, outsideOf, type RouterName } from './homes.ts'
import { type LabCase, wait } from './lab-case.ts'

/** How long a path is left alone after something has happened to it, before it must carry again. */
const AFTERMATH = 8_000
const SILENCE = 8_000
/** Where the first router is after it has moved, and the network to which its host moves. */
const ELSEWHERE = 11

/** The cases. */
export const changes: readonly LabCase[] = [
  change('the mapping expires after two seconds of silence', 'linux', async (town, a) => {
    const timeouts = ['nf_conntrack_udp_timeout=2', 'nf_conntrack_udp_timeout_stream=2']
    await a.edge.run('sysctl', '-qw', ...timeouts.map((setting) => `net.netfilter.${setting}`))
    return async (both) => {
      for (const street of both) street.order({ order: 'rest', cell: 'pair', duration: SILENCE })
      await wait(SILENCE + 500)
    }
  }),
  change('the router reboots and forgets every mapping', 'portcone', async (town, a) => async () => {
    await a.edge.run('sh', '-ec', reboot(outsideOf(1)))
    await wait(AFTERMATH)
  }),
  change('the router comes back with another address outside', 'portcone', async (town, a) => async () => {
    const [before, after] = [outsideOf(1), outsideOf(ELSEWHERE)]
    const renumber = `ip address del ${before}/24 dev wan; ip address add ${after}/24 dev wan`
    await a.edge.run('sh', '-ec', `${renumber}\n${reboot(after)}`)
    await wait(AFTERMATH)
  }),
  change('a host moves to another network, in the middle of a conversation', 'portcone', async (town, a) => {
    const to = await town.router(home('s', ELSEWHERE, 'linux'))
    return async () => {
      await town.move(a, to)
      await wait(AFTERMATH)
    }
  }),
]

/** Two homes, the second with an easy NAT; `prepare` returns what happens to the first once the two are direct. */
function change(
  name: string,
  kind: RouterName,
  prepare: (town: Town, a: Host) => Promise<(both: readonly Street[]) => Promise<void>>,
): LabCase {
  return {
    name,
    build: async (town) => {
      const [one, two] = [await town.home(home('a', 1, kind)), await town.home(home('b', 2, 'portcone'))]
      return [{ name: 'a ~ b', one, two, expected: 'direct', event: await prepare(town, one) }]
    },
  }
}

/** Commands that forget connections and mappings; the rules are those of before. */
function reboot(outside: string): string {
  const rules = natRules(ROUTERS.portcone, outside)
  return `nft delete table ip nat_lab; conntrack -F 2>/dev/null; nft -f - <<'RULES'\n${rules}\nRULES`
}
