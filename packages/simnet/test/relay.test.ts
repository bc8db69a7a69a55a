// What a relay tells its clients, and when they do not reach it.
import { expect, test } from 'vitest'
import { SimNet } from '../src/index.ts'

function pair(net: SimNet) {
  const relay = net.relay({ latency: 10 })
  const nat = net.nat()
  const host = net.host({ behind: nat })
  const [keyA, keyB] = [net.random(32), net.random(32)]
  const [a, b] = [relay.join(keyA, host), relay.join(keyB)]
  const seen: number[] = []
  b.onPacket = (_source, bytes) => seen.push(bytes[0]!)
  return { relay, nat, host, keyA, keyB, a, b, seen }
}

test('a client whose host is cut off, or held by a captive portal, reaches no relay', () => {
  const net = new SimNet()
  const { host, nat, a, keyB, seen } = pair(net)
  const say = (number: number): void => {
    a.send(keyB, Uint8Array.of(number))
    net.clock.advanceBy(20)
  }
  say(1)
  host.link.up = false
  say(2)
  host.link.up = true
  nat.captive = true
  say(3)
  nat.captive = false
  say(4)
  expect(seen).toEqual([1, 4])
})

test('a restart tells every client that it is not joined any more', () => {
  const net = new SimNet()
  const { relay, a, keyA, keyB, seen } = pair(net)
  const lost: number[] = []
  a.onLost = (now) => lost.push(now)
  net.clock.advanceBy(5)
  a.send(keyB, Uint8Array.of(1))
  relay.restart()
  net.clock.advanceBy(20)
  expect([lost, seen, relay.has(keyA)]).toEqual([[5], [], false])
})

test('who asks for somebody that is not there is told', () => {
  const net = new SimNet()
  const { a, b, keyB } = pair(net)
  const gone: string[] = []
  a.onPeerGone = (key) => gone.push(String(key))
  b.leave()
  a.send(keyB, Uint8Array.of(1))
  net.clock.advanceBy(20)
  expect(gone).toEqual([String(keyB)])
})
