// Peers that speak WireGuard and nothing else.
import { beforeEach, expect, test } from 'vitest'
import { SENT } from '../src/index.ts'
import { ICMP_PING_INTERVAL, PLAIN_TRUST_ON_PICK, PLAIN_TRUST_ON_RECEIVE } from '../src/plain-paths.ts'
import { at, wireguard, World, type WorldNode } from './support.ts'

const [NEAR, FAR, V6] = ['203.0.113.2:51820', '203.0.113.3:51820', '[2001:db8::2]:51820'] as const
const PEER = 7

let world: World
let a: WorldNode

beforeEach(() => {
  world = new World()
  world.addRegion(1, '192.0.2.1:3478')
  a = world.add({ id: 1, addresses: ['198.51.100.1', '2001:db8::1'] })
  world.clock.advanceBy(1_000)
  meet(NEAR, FAR)
})

function meet(...endpoints: string[]): void {
  const key = new Uint8Array(32).fill(9)
  const told = { nodeKey: key, discoKey: key.map(() => 8), endpoints: endpoints.map(at), homeRelay: 1 }
  a.meet({ id: PEER, ...told, isWireGuardOnly: true })
}

/** The system answers the ICMP pings asked for. */
function answer(latencies: Record<string, number | undefined>): void {
  for (const output of a.outputs.splice(0)) {
    if (output.kind !== 'icmp-ping') continue
    const { address } = output.endpoint
    const found = Object.entries(latencies).find(([text]) => at(text).address.join() === address.join())
    a.sock.handleIcmp(output.peer, output.endpoint, found?.[1])
  }
}

function sendAndSee(): string {
  const before = a.log.length
  expect(a.send(PEER, 1)).toBe(SENT.direct)
  expect(a.log.slice(before).map(({ what }) => what)).toEqual(['wireguard'])
  return a.log.at(-1)!.to
}

test('D20: gets no disco and no relay, only the datagram', () => {
  a.keepSending(PEER, 1_000, 30_000)
  const kinds = new Set(a.log.filter((entry) => entry.at > 1_001_000).map(({ what }) => what))
  expect([...kinds].filter((kind) => kind !== 'stun')).toEqual(['wireguard'])
  expect(a.log.filter(({ what, to }) => what === 'wireguard' && to.startsWith('relay'))).toEqual([])
})

test('D20: ICMP latency picks the endpoint, and is asked at most every 10 s', () => {
  sendAndSee()
  answer({ [NEAR]: 80, [FAR]: 12 })
  world.clock.advanceBy(PLAIN_TRUST_ON_PICK + 1)
  expect(sendAndSee()).toBe(FAR)
  expect(a.outputs.filter(({ kind }) => kind === 'icmp-ping')).toEqual([])
  world.clock.advanceBy(ICMP_PING_INTERVAL)
  sendAndSee()
  answer({ [NEAR]: 5, [FAR]: 12 })
  world.clock.advanceBy(PLAIN_TRUST_ON_PICK + 1)
  expect(sendAndSee()).toBe(NEAR)
})

test('D20: between equals IPv6 is taken, and one that is silent is not', () => {
  meet(NEAR, V6, FAR)
  sendAndSee()
  answer({ [NEAR]: 10, [V6]: 10 })
  world.clock.advanceBy(PLAIN_TRUST_ON_PICK + 1)
  expect(sendAndSee()).toBe(V6)
})

test('an endpoint that something comes from is the path for five seconds', () => {
  sendAndSee()
  answer({ [NEAR]: 80, [FAR]: 12 })
  a.receive(wireguard(1), at(NEAR))
  expect(a.arrivals.at(-1)).toMatchObject({ peer: PEER })
  world.clock.advanceBy(PLAIN_TRUST_ON_RECEIVE)
  expect(sendAndSee()).toBe(NEAR)
  world.clock.advanceBy(1)
  expect(sendAndSee()).toBe(FAR)
})

test('one endpoint needs no comparing', () => {
  meet(NEAR)
  a.keepSending(PEER, 1_000, 30_000)
  expect(a.outputs.filter(({ kind }) => kind === 'icmp-ping')).toEqual([])
})
