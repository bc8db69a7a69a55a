import { type Endpoint, formatEndpoint, parseAddress, parseEndpoint } from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import { type NatBehaviour, SimNet } from '../src/index.ts'
import { ask, listen } from './support.ts'

const BEHAVIOURS: readonly NatBehaviour[] = [
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
]

/** The external ports seen by one host's two ports and another host's one, from one socket behind a NAT. */
function portsSeen(
  mapping: NatBehaviour,
): [first: number, samePlace: number, otherPort: number, otherHost: number] {
  const net = new SimNet()
  const one = net.host()
  const other = net.host()
  const ports: number[] = []
  for (const [host, port] of [
    [one, 1],
    [one, 2],
    [other, 1],
  ] as const) {
    host.socket(port).onDatagram = (_, from) => ports.push(from.port)
  }
  const inside = listen(net.host({ behind: net.nat({ mapping }) }))
  for (const to of [one.endpoint(1), one.endpoint(1), one.endpoint(2), other.endpoint(1)]) {
    inside.say(to, 'x')
    net.clock.advanceBy(100)
  }
  const [a = 0, b = 0, c = 0, d = 0] = ports
  return [a, b, c, d]
}

describe('mapping (RFC 4787 section 4.1)', () => {
  test('endpoint-independent: one external port for all destinations', () => {
    expect(new Set(portsSeen('endpoint-independent')).size).toBe(1)
  })

  test('address-dependent: one external port for each address', () => {
    const [first, again, otherPort, otherHost] = portsSeen('address-dependent')
    expect([again, otherPort]).toEqual([first, first])
    expect(otherHost).not.toBe(first)
  })

  test('D13: address-and-port-dependent: one external port for each address and port', () => {
    const [first, again, otherPort, otherHost] = portsSeen('address-and-port-dependent')
    expect(again).toBe(first)
    expect(new Set([first, otherPort, otherHost]).size).toBe(3)
  })

  test('two ports of one host, and two hosts, never share an external port', () => {
    const net = new SimNet()
    const stun = net.stunServer()
    const nat = net.nat()
    const [a, b] = [net.host({ behind: nat }), net.host({ behind: nat })]
    const seen = [a.socket(5), a.socket(6), b.socket(5)].map((socket) =>
      formatEndpoint(ask(net, socket, stun)!),
    )
    expect(new Set(seen).size).toBe(3)
  })

  test('a preserving NAT keeps the port while nobody else has it', () => {
    const net = new SimNet()
    const stun = net.stunServer()
    const nat = net.nat({ ports: 'preserve' })
    const [a, b] = [net.host({ behind: nat }), net.host({ behind: nat })]
    expect(ask(net, a.socket(41_641), stun)?.port).toBe(41_641)
    expect(ask(net, b.socket(41_641), stun)?.port).not.toBe(41_641)
  })
})

/** Which of four strangers reach a socket that has spoken to the first of them only. */
function admitted(filtering: NatBehaviour, mapping: NatBehaviour = 'endpoint-independent'): string[] {
  const net = new SimNet()
  const known = net.host()
  const spoken = listen(known, 1)
  const sameHost = listen(known, 2)
  const stranger = listen(net.host(), 1)
  const nat = net.nat({ mapping, filtering })
  const inside = listen(net.host({ behind: nat }))
  inside.say(known.endpoint(1), 'x')
  net.clock.advanceBy(100)
  const external: Endpoint = parseEndpoint(spoken.seen[0]!.replace('x from ', ''))!
  spoken.say(external, 'spoken to')
  sameHost.say(external, 'same address')
  stranger.say(external, 'stranger')
  stranger.say({ ...external, port: external.port ^ 1 }, 'wrong port')
  net.clock.advanceBy(100)
  expect(net.drops.get('no-mapping')).toBe(1)
  expect(net.drops.get('filtered') ?? 0).toBe(3 - inside.seen.length)
  return inside.seen.map((line) => line.split(' from ')[0]!)
}

describe.each(BEHAVIOURS)('filtering (RFC 4787 section 5), whatever the mapping: %s', (mapping) => {
  test('endpoint-independent: anybody reaches a mapped port', () => {
    expect(admitted('endpoint-independent', mapping)).toEqual(['spoken to', 'same address', 'stranger'])
  })

  test('address-dependent: any port of an address spoken to', () => {
    expect(admitted('address-dependent', mapping)).toEqual(['spoken to', 'same address'])
  })

  test('address-and-port-dependent: only the very endpoint spoken to', () => {
    expect(admitted('address-and-port-dependent', mapping)).toEqual(['spoken to'])
  })
})

describe('lifetime (RFC 4787 section 4.3)', () => {
  const minute = 60_000

  /** Whether the server still reaches the client `idle` ms after the client spoke, with `inbound` ms between its own words. */
  function reaches(
    options: { timeout: number; inboundRefresh?: boolean },
    idle: number,
    every: number,
  ): boolean {
    const net = new SimNet()
    const server = net.host()
    const outside = listen(server, 1)
    const inside = listen(net.host({ behind: net.nat(options) }))
    inside.say(server.endpoint(1), 'x')
    net.clock.advanceBy(100)
    const external = parseEndpoint(outside.seen[0]!.replace('x from ', ''))!
    for (let t = every; t < idle; t += every) {
      outside.say(external, 'keep')
      net.clock.advanceBy(every)
    }
    net.clock.advanceTo(idle)
    const before = inside.seen.length
    outside.say(external, 'last')
    net.clock.advanceBy(1000)
    return inside.seen.length > before
  }

  test('a mapping is forgotten after the time of silence', () => {
    expect(reaches({ timeout: 2 * minute }, 2 * minute - 100, Infinity)).toBe(true)
    expect(reaches({ timeout: 2 * minute }, 2 * minute + 100, Infinity)).toBe(false)
  })

  test('what comes in keeps it alive only where the NAT refreshes inbound', () => {
    expect(reaches({ timeout: minute }, 5 * minute, 20_000)).toBe(false)
    expect(reaches({ timeout: minute, inboundRefresh: true }, 5 * minute, 20_000)).toBe(true)
  })

  test('what goes out keeps the same external port, after silence there is another', () => {
    const net = new SimNet()
    const stun = net.stunServer()
    const socket = net.host({ behind: net.nat({ timeout: minute }) }).socket()
    const first = ask(net, socket, stun)
    net.clock.advanceBy(50_000)
    expect(ask(net, socket, stun)).toEqual(first)
    net.clock.advanceBy(61_000)
    expect(ask(net, socket, stun)).not.toEqual(first)
  })

  test('a reset forgets everything', () => {
    const net = new SimNet()
    const stun = net.stunServer()
    const nat = net.nat()
    const socket = net.host({ behind: nat }).socket()
    const first = ask(net, socket, stun)
    nat.reset()
    expect(ask(net, socket, stun)).not.toEqual(first)
  })
})

describe('the rest of a home router', () => {
  test('hosts behind one NAT reach each other directly, without crossing it', () => {
    const net = new SimNet()
    const nat = net.nat({ link: { up: false } })
    const alice = listen(net.host({ behind: nat }))
    const server = net.host({ behind: nat })
    const bob = listen(server, 7)
    alice.say(server.endpoint(7), 'neighbour')
    net.clock.advanceBy(100)
    expect(bob.seen).toEqual(['neighbour from 192.168.0.1:49152'])
  })

  test('hairpinning (section 6): by the external endpoint only where the NAT does it, with the external source', () => {
    for (const hairpin of [true, false]) {
      const net = new SimNet()
      const stun = net.stunServer()
      const nat = net.nat({ hairpin, filtering: 'endpoint-independent' })
      const [alice, bob] = [listen(net.host({ behind: nat })), listen(net.host({ behind: nat }))]
      const [externalA, externalB] = [ask(net, alice.socket, stun)!, ask(net, bob.socket, stun)!]
      alice.say(externalB, 'hi')
      net.clock.advanceBy(100)
      expect(bob.seen).toEqual(hairpin ? [`hi from ${formatEndpoint(externalA)}`] : [])
      expect(net.drops.get('hairpin')).toBe(hairpin ? undefined : 1)
    }
  })

  test('a forwarded port is open to everybody and stays', () => {
    const net = new SimNet()
    const nat = net.nat()
    const server = net.host({ behind: nat })
    const bob = listen(server, 7)
    nat.forward(4000, server.endpoint(7))
    net.clock.advanceBy(3_600_000)
    const alice = listen(net.host())
    alice.say({ address: nat.address, port: 4000 }, 'hi')
    net.clock.advanceBy(100)
    expect(bob.seen).toEqual(['hi from 203.0.113.2:49152'])
  })

  test('a NAT behind a NAT: both translate, and both filter', () => {
    const net = new SimNet()
    const server = net.host()
    const outside = listen(server, 1)
    const carrier = net.nat()
    const home = net.nat({ behind: carrier })
    const inside = listen(net.host({ behind: home }))
    inside.say(server.endpoint(1), 'x')
    net.clock.advanceBy(100)
    const external = parseEndpoint(outside.seen[0]!.replace('x from ', ''))!
    expect(external.address).toEqual(carrier.address)
    outside.say(external, 'back')
    net.clock.advanceBy(100)
    expect(inside.seen).toEqual(['back from 203.0.113.1:1'])
  })

  test('IPv6 keeps its address, and is let in only after it spoke', () => {
    const net = new SimNet()
    const server = net.host({ addresses: [parseAddress('2001:db8::1')!] })
    const outside = listen(server, 1)
    const addresses = [parseAddress('192.168.0.77')!, parseAddress('2001:db8:1::77')!]
    const inside = listen(net.host({ behind: net.nat(), addresses }), 7)
    const own = parseEndpoint('[2001:db8:1::77]:7')!
    outside.say(own, 'too early')
    net.clock.advanceBy(100)
    inside.say(server.endpoint(1), 'x')
    net.clock.advanceBy(100)
    outside.say(own, 'now')
    net.clock.advanceBy(100)
    expect(outside.seen).toEqual(['x from [2001:db8:1::77]:7'])
    expect(inside.seen).toEqual(['now from [2001:db8::1]:1'])
  })

  test('the inside is not reachable by its private address', () => {
    const net = new SimNet()
    net.host({ behind: net.nat() }).socket(7)
    listen(net.host()).say(parseEndpoint('192.168.0.1:7')!, 'x')
    net.clock.advanceBy(100)
    expect(net.drops.get('unreachable')).toBe(1)
  })
})
