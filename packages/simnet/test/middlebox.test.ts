// What stands in the way besides translation: firewalls, blocked UDP, isolated guests, captive portals, partitions,
// and how Linux chooses ports.
import { type Endpoint, endpointsEqual, formatEndpoint, parseAddress } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { type SimHost, SimNet } from '../src/index.ts'
import { ask, listen } from './support.ts'

test('a firewall leaves addresses as they are and lets in only answers', () => {
  const net = new SimNet()
  const inside = net.host({ behind: net.nat({ mapping: 'none' }) })
  const outside = net.host()
  const [alice, bob] = [listen(inside, 5), listen(outside, 7)]
  bob.say(inside.endpoint(5), 'unasked')
  net.clock.advanceBy(100)
  expect([alice.seen, net.drops.get('filtered')]).toEqual([[], 1])
  alice.say(outside.endpoint(7), 'hello')
  net.clock.advanceBy(100)
  expect(bob.seen).toEqual([`hello from ${formatEndpoint(inside.endpoint(5))}`])
  bob.say(inside.endpoint(5), 'answer')
  net.clock.advanceBy(100)
  expect(alice.seen.length).toBe(1)
})

test('Linux keeps the inside port for every destination, and gives another only where two would meet', () => {
  const net = new SimNet()
  const servers = [net.stunServer(), net.stunServer()] as const
  const nat = net.nat({ mapping: 'address-and-port-dependent', ports: 'overload' })
  const sockets = [0, 1].map(() => net.host({ behind: nat }).socket(41_641))
  const port = (who: number, server: Endpoint): number | undefined => ask(net, sockets[who]!, server)?.port
  expect([port(0, servers[0]), port(0, servers[1])]).toEqual([41_641, 41_641])
  const second = port(1, servers[0])
  expect(second).toBeDefined()
  expect(second).not.toBe(41_641)
})

test('blocked UDP passes neither way, until it is let through', () => {
  const net = new SimNet()
  const stun = net.stunServer()
  const nat = net.nat({ blocks: () => true })
  const socket = net.host({ behind: nat }).socket()
  expect(ask(net, socket, stun)).toBeUndefined()
  nat.blocks = undefined
  expect(ask(net, socket, stun)).toBeDefined()
})

test('a rule sees what it judges: the STUN port may be closed while others are open', () => {
  const net = new SimNet()
  const stun = net.stunServer()
  const server = net.host()
  const bob = listen(server, 7)
  const nat = net.nat({ blocks: ({ destination }) => destination.port === stun.port })
  const alice = listen(net.host({ behind: nat }))
  expect(ask(net, alice.socket, stun)).toBeUndefined()
  alice.say(server.endpoint(7), 'hello')
  net.clock.advanceBy(100)
  expect(bob.seen.length).toBe(1)
})

test('isolated guests do not reach each other, but the Internet', () => {
  const net = new SimNet()
  const nat = net.nat({ isolated: true })
  const [a, b] = [net.host({ behind: nat }), net.host({ behind: nat })] as const
  const [alice, bob] = [listen(a, 5), listen(b, 7)]
  alice.say(b.endpoint(7), 'neighbour')
  net.clock.advanceBy(100)
  expect([bob.seen, net.drops.get('blocked')]).toEqual([[], 1])
  expect(ask(net, alice.socket, net.stunServer())).toBeDefined()
})

test('a captive portal lets nothing out, streams neither, until somebody has signed in', () => {
  const net = new SimNet()
  const nat = net.nat()
  const host = net.host({ behind: net.nat({ behind: nat }) })
  const socket = host.socket()
  const stun = net.stunServer()
  nat.captive = true
  expect([ask(net, socket, stun), host.isOnline]).toEqual([undefined, false])
  nat.captive = false
  expect(ask(net, socket, stun)).toBeDefined()
  expect(host.isOnline).toBe(true)
})

test('a partition of the Internet parts some from some, and no others', () => {
  const net = new SimNet()
  const hosts = [0, 1, 2].map(() => net.host())
  const heard = hosts.map((host) => listen(host, 7))
  const isFirst = ({ address }: Endpoint): boolean =>
    endpointsEqual({ address, port: 7 }, hosts[0]!.endpoint(7))
  net.internet.realm.blocks = ({ source, destination }) =>
    isFirst(source) && endpointsEqual(destination, hosts[1]!.endpoint(7))
  heard[0]!.say(hosts[1]!.endpoint(7), 'cut')
  heard[0]!.say(hosts[2]!.endpoint(7), 'through')
  net.clock.advanceBy(100)
  expect(heard.map(({ seen }) => seen.length)).toEqual([0, 0, 1])
})

test('behind an IPv6 firewall within a NAT both families go their own way', () => {
  const net = new SimNet()
  const addresses = [parseAddress('192.168.1.9')!, parseAddress('2001:db8::9')!]
  const home = net.nat()
  const host: SimHost = net.host({ behind: home, addresses })
  const other = net.host({ addresses: [parseAddress('2001:db8::1')!] })
  const [alice, bob] = [listen(host, 5), listen(other, 7)]
  alice.say(other.endpoint(7), 'six')
  net.clock.advanceBy(100)
  expect(bob.seen).toEqual(['six from [2001:db8::9]:5'])
})
