import { formatAddress, parseAddress, parseEndpoint } from '@mesh/wire/ip'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type SimEvent, SimNet } from '../src/index.ts'
import { ask, listen } from './support.ts'

test('a datagram takes the latency of both links, and no longer', () => {
  const net = new SimNet()
  const alice = listen(net.host({ link: { latency: 10 } }))
  const server = net.host({ link: { latency: 30 } })
  const bob = listen(server, 7)
  alice.say(server.endpoint(7), 'hello')
  net.clock.advanceTo(39)
  expect(bob.seen).toEqual([])
  net.clock.advanceTo(40)
  expect(bob.seen).toEqual(['hello from 203.0.113.1:49152'])
})

test('bytes are copied when sent: the sender may use its buffer again', () => {
  const net = new SimNet()
  const server = net.host()
  const got: Uint8Array[] = []
  server.socket(7).onDatagram = (bytes) => got.push(bytes)
  const buffer = Uint8Array.of(1)
  net.host().socket().send(server.endpoint(7), buffer)
  buffer[0] = 2
  net.clock.advanceBy(100)
  expect(got).toEqual([Uint8Array.of(1)])
})

test('loss is the part asked for, and the same for the same seed', () => {
  const run = (seed: number): number => {
    const net = new SimNet({ seed })
    const server = net.host()
    const bob = listen(server, 7)
    const alice = listen(net.host({ link: { loss: 0.3 } }))
    for (let i = 0; i < 1000; i += 1) alice.say(server.endpoint(7), 'x')
    net.clock.advanceBy(1000)
    expect(net.drops.get('lost')).toBe(1000 - bob.seen.length)
    return bob.seen.length
  }
  expect(run(1)).toBe(run(1))
  expect(run(1)).not.toBe(run(2))
  expect(run(3)).toBeGreaterThan(650)
  expect(run(3)).toBeLessThan(750)
})

test('jitter reorders, its absence does not', () => {
  const order = (jitter: number): string[] => {
    const net = new SimNet({ seed: 5 })
    const server = net.host()
    const bob = listen(server, 7)
    const alice = listen(net.host({ link: { jitter } }))
    for (let i = 0; i < 20; i += 1) alice.say(server.endpoint(7), String(i).padStart(2, '0'))
    net.clock.advanceBy(1000)
    return bob.seen
  }
  expect(order(0)).toEqual(order(0).toSorted())
  expect(order(50).toSorted()).toEqual(order(0))
  expect(order(50)).not.toEqual(order(0))
})

test('D8: a link that is cut carries nothing until it is up again', () => {
  const net = new SimNet()
  const server = net.host()
  const bob = listen(server, 7)
  const client = net.host()
  const alice = listen(client)
  client.link.up = false
  alice.say(server.endpoint(7), 'lost')
  net.clock.advanceBy(100)
  client.link.up = true
  alice.say(server.endpoint(7), 'here')
  net.clock.advanceBy(100)
  expect(bob.seen).toEqual(['here from 203.0.113.2:49152'])
  expect([...net.drops]).toEqual([['link-down', 1]])
})

test('a datagram longer than the MTU of a link is dropped', () => {
  const net = new SimNet()
  const server = net.host({ link: { mtu: 1280 } })
  const bob = listen(server, 7)
  const alice = listen(net.host())
  alice.say(server.endpoint(7), 'x'.repeat(1252))
  alice.say(server.endpoint(7), 'x'.repeat(1253))
  net.clock.advanceBy(100)
  expect([bob.seen.length, net.drops.get('too-big')]).toEqual([1, 1])
})

test('what goes nowhere is counted by its reason', () => {
  const net = new SimNet()
  const alice = listen(net.host())
  const server = net.host()
  alice.say(parseEndpoint('192.0.2.1:1')!, 'nobody')
  alice.say(server.endpoint(9), 'closed')
  alice.say(parseEndpoint('[2001:db8::1]:1')!, 'other family')
  net.clock.advanceBy(100)
  expect(Object.fromEntries(net.drops)).toEqual({ unreachable: 1, 'closed-port': 1, 'no-address': 1 })
})

test('a host answers from the address of the family it is asked on', () => {
  const net = new SimNet()
  const both = net.host({ addresses: [parseAddress('192.0.2.9')!, parseAddress('2001:db8::9')!] })
  const alice = listen(net.host({ addresses: [parseAddress('2001:db8::1')!, parseAddress('192.0.2.1')!] }), 5)
  const bob = listen(both, 7)
  alice.say(parseEndpoint('[2001:db8::9]:7')!, 'six')
  alice.say(parseEndpoint('192.0.2.9:7')!, 'four')
  net.clock.advanceBy(100)
  expect(bob.seen).toEqual(['six from [2001:db8::1]:5', 'four from 192.0.2.1:5'])
})

test('a datagram to oneself arrives at once, but after the call that sent it', () => {
  const net = new SimNet()
  const host = net.host()
  const alice = listen(host, 7)
  alice.say(host.endpoint(7), 'me')
  expect(alice.seen).toEqual([])
  net.clock.advanceBy(0)
  expect(alice.seen).toEqual(['me from 203.0.113.1:7'])
})

test('S18: the STUN host answers what a relay would, and nothing else', () => {
  const net = new SimNet()
  const stun = net.stunServer()
  const client = net.host()
  const socket = client.socket(41_641)
  expect(ask(net, socket, stun)).toEqual(client.endpoint(41_641))
  const alice = listen(client)
  alice.say(stun, 'no STUN at all')
  net.clock.advanceBy(1000)
  expect(alice.seen).toEqual([])
})

test('D16: a host that moves keeps its sockets, and what was under way to the old place is lost', () => {
  const net = new SimNet()
  const nat = net.nat()
  const laptop = net.host()
  const alice = listen(laptop, 7)
  const bob = listen(net.host(), 8)
  const old = laptop.endpoint(7)
  bob.say(old, 'too late')
  laptop.move(nat)
  bob.say(old, 'too late')
  net.clock.advanceBy(100)
  expect(alice.seen).toEqual([])
  expect(formatAddress(laptop.addresses[0]!)).toBe('192.168.0.1')
  alice.say(parseEndpoint('203.0.113.3:8')!, 'moved')
  net.clock.advanceBy(100)
  expect(bob.seen[0]).toMatch(/^moved from 203\.0\.113\.1:\d+$/)
})

test('a relay carries by key, in order, and nothing while it is down', () => {
  const net = new SimNet()
  const relay = net.relay({ latency: 50 })
  const [keyA, keyB] = [net.random(32), net.random(32)]
  const a = relay.join(keyA)
  const b = relay.join(keyB)
  const seen: [string, number, number][] = []
  b.onPacket = (source, bytes, now) =>
    seen.push([String(source) === String(keyA) ? 'a' : '?', bytes[0]!, now])
  a.send(keyB, Uint8Array.of(1))
  a.send(keyB, Uint8Array.of(2))
  a.send(net.random(32), Uint8Array.of(3))
  net.clock.advanceBy(100)
  relay.up = false
  a.send(keyB, Uint8Array.of(4))
  net.clock.advanceBy(100)
  relay.up = true
  b.leave()
  a.send(keyB, Uint8Array.of(5))
  net.clock.advanceBy(100)
  expect(seen).toEqual([
    ['a', 1, 50],
    ['a', 2, 50],
  ])
  expect([relay.has(keyA), relay.has(keyB)]).toEqual([true, false])
})

test('taken ports and addresses are refused, free ones are found', () => {
  const net = new SimNet()
  const host = net.host()
  const socket = host.socket(49_152)
  expect(host.socket().port).toBe(49_153)
  expect(() => host.socket(49_152)).toThrow('port 49152 is taken')
  socket.close()
  socket.close()
  expect(host.socket().port).toBe(49_152)
  expect(() => net.host({ addresses: host.addresses })).toThrow('address 203.0.113.1 is taken')
})

test('the trace tells every datagram from sending to its end', () => {
  const events: SimEvent[] = []
  const net = new SimNet({ onEvent: (event) => events.push(event) })
  const server = net.host()
  server.socket(7)
  const alice = listen(net.host())
  alice.say(server.endpoint(7), 'a')
  alice.say(server.endpoint(8), 'b')
  net.clock.advanceBy(10)
  expect(events.map((event) => `${event.kind}@${event.at}`)).toEqual([
    'sent@0',
    'sent@0',
    'delivered@10',
    'dropped@10',
  ])
})

test('no datagram is both delivered and dropped, or forgotten, whatever the conditions', () => {
  const conditions = fc.record({
    latency: fc.nat(50),
    jitter: fc.nat(50),
    loss: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.nat(), conditions, fc.nat(30), (seed, link, count) => {
      const ends: string[] = []
      const net = new SimNet({ seed, onEvent: (event) => ends.push(event.kind) })
      const server = net.host({ link })
      server.socket(7)
      const alice = listen(net.host({ behind: net.nat({ link }), link }))
      for (let i = 0; i < count; i += 1) alice.say(server.endpoint(7), 'x')
      net.clock.advanceBy(10_000)
      expect(ends.filter((kind) => kind === 'sent').length).toBe(count)
      expect(ends.length).toBe(2 * count)
    }),
  )
})
