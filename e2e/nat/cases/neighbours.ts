// Hosts that share something: a local network, a carrier's NAT, an address range, a port.
import type { Host } from '../town.ts'
import { home } from './homes.ts'
import type { LabCase, Verdict } from './lab-case.ts'

const SHARED_PORT = 41_641

interface SameLan {
  readonly kind: 'linux' | 'portcone' | 'fullcone'
  readonly isolated: boolean
  readonly hairpin: boolean
  readonly expected: Verdict
}

const SAME_LAN: readonly SameLan[] = [
  { kind: 'linux', isolated: false, hairpin: false, expected: 'direct' },
  { kind: 'portcone', isolated: false, hairpin: false, expected: 'direct' },
  { kind: 'fullcone', isolated: false, hairpin: true, expected: 'direct' },
  { kind: 'linux', isolated: true, hairpin: false, expected: 'relayed' },
  { kind: 'portcone', isolated: true, hairpin: false, expected: 'relayed' },
  { kind: 'portcone', isolated: true, hairpin: true, expected: 'direct' },
  { kind: 'fullcone', isolated: true, hairpin: true, expected: 'direct' },
]

/** The cases. */
export const neighbours: readonly LabCase[] = [
  ...SAME_LAN.map(sameLan),
  ...(['portcone', 'sym'] as const).flatMap((kind) => [false, true].map((hairpin) => carrier(kind, hairpin))),
  {
    name: 'overlapping networks: both hosts have the same private address',
    build: async (town) => {
      const hosts: Host[] = []
      for (const [index, name] of ['a', 'b'].entries())
        hosts.push(await town.home({ ...home(name, 1 + index, 'linux'), network: '192.168.1' }))
      return [{ name: 'a ~ b', one: hosts[0]!, two: hosts[1]!, expected: 'direct' }]
    },
  },
  {
    name: 'two hosts behind one router ask for the same port',
    build: async (town) => {
      const router = await town.router(home('r', 1, 'linux'))
      const [a, b] = [await town.behind(router, 'a'), await town.behind(router, 'b', { number: 12 })]
      const away = await town.host('c', ['203.0.113.150'])
      return [
        { name: 'a ~ c', one: a, two: away, port: SHARED_PORT, expected: 'direct' },
        { name: 'b ~ c', one: b, two: away, port: SHARED_PORT, expected: 'direct' },
      ]
    },
  },
  {
    name: 'two NATs, one behind the other',
    build: async (town) => {
      const behind = await town.router({ ...home('o', 1, 'portcone'), network: '10.9.0' })
      const a = await town.home({ ...home('a', 1, 'linux'), outside: '10.9.0.2', behind })
      const b = await town.home(home('b', 2, 'portcone'))
      return [{ name: 'a ~ b', one: a, two: b, expected: 'direct' }]
    },
  },
]

function sameLan({ kind, isolated, hairpin, expected }: SameLan): LabCase {
  const guests = isolated ? ', isolated from each other' : ''
  return {
    name: `same network behind ${kind}${guests}${hairpin ? ', with hairpin' : ''}`,
    build: async (town) => {
      const router = await town.router({ ...home('r', 1, kind), quirks: { hairpin } })
      const one = await town.behind(router, 'a', { isolated })
      const two = await town.behind(router, 'b', { isolated, number: 12 })
      return [{ name: 'a ~ b', one, two, expected }]
    },
  }
}

/** Two homes behind one carrier's NAT, and a third elsewhere. */
function carrier(kind: 'portcone' | 'sym', hairpin: boolean): LabCase {
  return {
    name: `a carrier's NAT of kind ${kind}${hairpin ? ', with hairpin' : ''}`,
    build: async (town) => {
      const behind = await town.router({ ...home('cg', 100, kind), network: '10.200.0', quirks: { hairpin } })
      const homes: Host[] = []
      for (const [index, name] of ['a', 'b'].entries()) {
        const outside = `10.200.0.${11 + index}`
        const router = await town.router({ ...home(name, 1, 'linux'), outside, behind })
        homes.push(await town.behind(router, name, { number: 11 + index }))
      }
      const [a, b] = homes as [Host, Host]
      const c = await town.home(home('c', 3, 'linux'))
      return [
        { name: 'a ~ b', one: a, two: b, expected: hairpin && kind === 'portcone' ? 'direct' : 'relayed' },
        // Behind the hard one a search for ports finds it.
        { name: 'a ~ c', one: a, two: c, expected: 'direct' },
      ]
    },
  }
}
