// Two nodes and a clock: from the first packet to the direct path, and what becomes of it.
import { beforeEach, describe, expect, test } from 'vitest'
import { SENT } from '../src/index.ts'
import { at, sealed, texts, twoPublicNodes, type World, type WorldNode } from './support.ts'

const A = '198.51.100.1:41641'
const B = '203.0.113.2:41641'

let world: World
let a: WorldNode
let b: WorldNode

beforeEach(() => {
  ;({ world, a, b } = twoPublicNodes())
})

describe('the first packet', () => {
  test('D3: leaves through the home relay at once, with a ping to each candidate and one call-me-maybe', () => {
    a.meet(
      b.config({ endpoints: [...b.config().endpoints, { address: Uint8Array.of(192, 168, 1, 7), port: 9 }] }),
    )
    const before = a.log.length
    expect(a.send(2)).toBe(SENT.relay)
    const now = a.log.slice(before)
    expect(now[0]).toMatchObject({ what: 'wireguard', to: 'relay 1' })
    expect(now.slice(1).map(({ what, to }) => `${what} ${to}`)).toEqual([
      `ping ${B}`,
      'ping 192.168.1.7:9',
      'call-me-maybe relay 1',
    ])
  })

  test('arrives, and the path is direct two round trips later', () => {
    a.send(2, 42)
    world.clock.advanceBy(25)
    expect(a.send(2, 43)).toBe(SENT.direct)
    world.clock.advanceBy(100)
    expect(b.arrivals.map(({ via, peer }) => [via, peer])).toEqual([
      ['relay', 1],
      ['udp', 1],
    ])
    expect(a.news('path-changed').map((e) => e.path)).toMatchObject([{ kind: 'direct', latency: 20 }])
  })

  test('a second one at once pings nobody again', () => {
    a.send(2)
    a.send(2)
    expect(a.sent('ping')).toEqual([B])
    expect(a.sent('call-me-maybe')).toEqual(['relay 1'])
  })

  test('goes out even when the peer speaks no disco, through the relay alone', () => {
    a.meet(b.config({ discoKey: undefined }))
    expect(a.send(2)).toBe(SENT.relay)
    expect(a.sent('ping')).toEqual([])
  })

  test('D17: is refused for peers nobody knows, whose key has expired, or who have neither path nor relay', () => {
    a.meet(b.config({ expired: true }))
    expect(a.send(2)).toBe(SENT.nothing)
    expect(a.send(99)).toBe(SENT.nothing)
    a.meet(b.config({ homeRelay: 0 }))
    expect(a.send(2)).toBe(SENT.nothing)
    expect(a.sock.drops).toMatchObject({
      'send-expired-peer': 1,
      'send-unknown-peer': 1,
      'send-no-path': 1,
    })
  })

  test('D3: a call waits for fresh endpoints when ours are older than 27 s, the packet does not', () => {
    world.clock.advanceBy(120_000)
    const since = world.clock.now()
    expect(a.send(2)).toBe(SENT.relay)
    expect(a.sent('stun', since)).toEqual(['192.0.2.1:3478'])
    expect(a.sent('call-me-maybe', since)).toEqual([])
    world.clock.advanceBy(20)
    expect(a.sent('call-me-maybe', since)).toEqual(['relay 1'])
  })

  test('a peer with no known endpoint is called all the same', () => {
    a.meet(b.config({ endpoints: [] }))
    a.send(2)
    expect(a.sent('call-me-maybe')).toEqual(['relay 1'])
    world.clock.advanceBy(4_000)
    expect(a.send(2)).toBe(SENT.direct)
  })
})

describe('call-me-maybe', () => {
  test('D4: is answered by pings to every endpoint at once, whatever the 5 s gap, and by no call', () => {
    b.send(1)
    expect(b.sent('ping')).toEqual([A])
    const since = world.clock.now() + 1
    a.meet(b.config({ endpoints: [] }))
    world.isLost = (from) => from === b
    a.send(2)
    world.clock.advanceBy(35)
    expect(b.sent('ping', since)).toEqual([A])
    expect(b.sent('call-me-maybe', since)).toEqual([])
  })

  test('D4: an endpoint that the next call no longer lists is forgotten, even if control lists it', () => {
    const call = (...endpoints: string[]): void => {
      b.receiveRelayed(1, a.nodeKey, sealed(a, b, { kind: 'call-me-maybe', endpoints: endpoints.map(at) }))
    }
    const candidates = (): string[] => texts(b.sock.status(1, world.clock.now())!.candidates)
    call(A, '192.0.2.77:7', '[fe80::1]:7')
    expect(candidates()).toEqual(['192.0.2.77:7', A])
    call('192.0.2.78:8')
    expect(candidates()).toEqual(['192.0.2.78:8'])
    b.meet(a.config())
    expect(candidates()).toEqual(['192.0.2.78:8', A])
  })

  test('is not believed when it comes over UDP, or through the relay in the name of another', () => {
    const c = world.add({ id: 3, addresses: ['192.0.2.3'] })
    b.meet(a.config(), c.config())
    const call = sealed(a, b, { kind: 'call-me-maybe', endpoints: [at('192.0.2.66:6')] })
    b.receive(call, at(A))
    b.receiveRelayed(1, c.nodeKey, call)
    expect(b.sent('ping')).toEqual([])
    expect(b.sock.drops).toMatchObject({ 'disco-not-by-relay': 1, 'disco-unattributed': 1 })
  })

  test('threat 32: a peer that calls all the time is not obeyed all the time', () => {
    b.meet(a.config({ endpoints: [] }))
    for (let i = 0; i < 50; i++) {
      b.receiveRelayed(1, a.nodeKey, sealed(a, b, { kind: 'call-me-maybe', endpoints: [at(A)] }))
      world.clock.advanceBy(100)
    }
    expect(b.sock.drops['disco-too-often']).toBe(39)
    expect(b.sent('ping')).toHaveLength(11)
  })
})

describe('a path in use', () => {
  beforeEach(() => {
    a.keepSending(2, 500, 2_000)
  })

  test('is the address that answered', () => {
    expect(a.sock.status(2, world.clock.now())?.endpoint).toEqual(b.config().endpoints[0])
  })

  test('D7: is pinged every 3 s while something was sent in the last 45 s, then no more', () => {
    const since = world.clock.now()
    a.send(2)
    world.clock.advanceBy(45_000)
    const beats = a.sent('ping', since)
    expect(beats.length).toBeGreaterThanOrEqual(14)
    expect(beats.length).toBeLessThanOrEqual(16)
    world.clock.advanceBy(5_000)
    const end = world.clock.now()
    world.clock.advanceBy(300_000)
    expect(a.sent('ping', end)).toEqual([])
    expect(a.sent('stun', end)).toEqual([])
  })

  test('D8: UDP blocked: doubled on the relay within 6.5 s, given up within 10 s, direct again when unblocked', () => {
    const blockedAt = world.clock.now()
    world.isLost = (_from, to) => !to.startsWith('192.0.2.')
    const sent = new Map<number, number>()
    for (let t = 0; t < 12_000; t += 100) {
      sent.set(t, a.send(2))
      world.clock.advanceBy(100)
    }
    expect(sent.get(0)).toBe(SENT.direct)
    const doubled = [...sent].find(([, what]) => what === SENT.both)
    expect(doubled![0]).toBeLessThanOrEqual(6_600)
    const dropped = a.news('path-changed').find((e) => e.path.kind === 'relay')
    expect(dropped).toBeDefined()
    expect(sent.get(10_000)).toBe(SENT.relay)
    world.isLost = () => false
    a.keepSending(2, 500, 8_000)
    expect(a.send(2)).toBe(SENT.direct)
    expect(world.clock.now() - blockedAt).toBeLessThan(21_000)
  })

  test('after an idle time is used together with the relay until it answers again', () => {
    world.clock.advanceBy(120_000)
    expect(a.send(2)).toBe(SENT.both)
    world.clock.advanceBy(25)
    expect(a.send(2)).toBe(SENT.direct)
  })

  test('is compared with the others every 60 s when slower than 5 ms', () => {
    a.meet(b.config({ endpoints: [...b.config().endpoints, at('192.168.9.9:9')] }))
    const start = world.clock.now()
    a.keepSending(2, 1_000, 130_000)
    const calls = a.log.filter(({ what, at: sentAt }) => what === 'call-me-maybe' && sentAt > start)
    const rounds = calls.map((entry) => entry.at)
    expect(rounds).toHaveLength(2)
    expect(rounds[1]! - rounds[0]!).toBeGreaterThanOrEqual(60_000)
    expect(rounds[1]! - rounds[0]!).toBeLessThan(64_000)
  })

  test('stays when a rival is not better, and yields to one that is', () => {
    const lan = at('192.168.0.2:41641')
    world.latency = (_from, to) => (to === '192.168.0.2:41641' ? 2 : 10)
    Object.assign(b, { options: { ...b.options, addresses: ['203.0.113.2', '192.168.0.2'] } })
    a.meet(b.config({ endpoints: [...b.config().endpoints, lan] }))
    a.keepSending(2, 500, 70_000)
    expect(a.sock.status(2, world.clock.now())?.endpoint).toEqual(lan)
    expect(a.news('path-changed')).toHaveLength(2)
  })

  test('D17: is dropped when the system says the host is unreachable', () => {
    a.sock.handleSendError('EHOSTUNREACH', b.config().endpoints[0], world.clock.now())
    expect(a.send(2)).toBe(SENT.relay)
  })

  test('D17: sockets are reopened at most every 5 s for EPERM', () => {
    const start = world.clock.now()
    for (let t = 0; t < 11_000; t += 500) a.sock.handleSendError('EPERM', undefined, start + t)
    a.wake()
    expect(a.outputs.filter((o) => o.kind === 'rebind')).toHaveLength(3)
  })

  test('D16: is forgotten when the network is another one, and found again', () => {
    a.sock.handleNetworkChange(world.clock.now())
    a.wake()
    expect(a.send(2)).toBe(SENT.relay)
    world.clock.advanceBy(100)
    expect(a.send(2)).toBe(SENT.direct)
  })

  test('a packet over it costs no output and no poll', () => {
    a.wake()
    expect(a.sock.needsPoll).toBe(false)
    expect(a.sock.send(2, Uint8Array.of(4, 0, 0, 0), world.clock.now())).toBe(SENT.direct)
    expect(a.sock.needsPoll).toBe(false)
    expect(a.sock.poll()).toBeUndefined()
  })

  test('D11: a new disco key from control makes the peer a restarted one, whose paths are unknown', () => {
    const key = Uint8Array.from(b.config().discoKey!)
    key[0]! ^= 1
    a.meet(b.config({ discoKey: key }))
    expect(a.news('peer-restarted')).toEqual([{ kind: 'event', event: 'peer-restarted', peer: 2 }])
    expect(a.send(2)).toBe(SENT.relay)
  })

  test('D11: a disco key learned inside the tunnel does not, and stays while control repeats the old one', () => {
    const key = Uint8Array.from(b.config().discoKey!)
    key[0]! ^= 1
    a.sock.learnDiscoKey(2, key)
    a.meet(b.config())
    expect(a.news('peer-restarted')).toEqual([])
    const since = world.clock.now()
    a.send(2)
    world.clock.advanceBy(100)
    expect(a.sent('sealed', since).length).toBeGreaterThan(0)
    expect(b.sock.drops['disco-sealed-badly'] + b.sock.drops['disco-unknown-sender']).toBeGreaterThan(0)
  })

  test('D17: a peer that is gone leaves nothing behind: no path, no source', () => {
    b.send(1, 7)
    world.clock.advanceBy(50)
    expect(a.arrivals.at(-1)).toMatchObject({ peer: 2, via: 'udp' })
    a.meet()
    b.send(1, 8)
    world.clock.advanceBy(50)
    expect(a.arrivals.at(-1)).toMatchObject({ peer: -1 })
    expect(a.sock.status(2, world.clock.now())).toBeUndefined()
  })

  test('counts what went which way', () => {
    const traffic = a.sock.status(2, world.clock.now())!.traffic
    expect(traffic.sentRelay).toEqual({ packets: 1, bytes: 4 })
    expect(traffic.sentDirect).toEqual({ packets: 3, bytes: 12 })
    const received = b.sock.status(1, world.clock.now())!.traffic
    expect(received.receivedRelay.packets).toBe(1)
    expect(received.receivedDirect.packets).toBe(3)
  })
})

test('a peer that tells no disco key, or ours, in its tunnel is still found by the one it has', () => {
  a.sock.learnDiscoKey(2, new Uint8Array(32))
  a.sock.learnDiscoKey(2, a.sock.discoKey)
  a.keepSending(2, 500, 2_000)
  expect(a.send(2)).toBe(SENT.direct)
})

describe('a ping of a size', () => {
  /** Bytes of the datagrams that carry a's pings. */
  const lengths: number[] = []
  const IP_AND_UDP = 28

  beforeEach(() => {
    lengths.length = 0
    a.keepSending(2, 500, 2_000)
  })

  /** Pings are lost that are longer than this with their headers. */
  function limitMtu(mtu: number): void {
    world.isLost = (from, to, bytes) => {
      if (from === a && to === B) lengths.push(bytes.length)
      return bytes.length + IP_AND_UDP > mtu
    }
  }

  function ping(size: number): void {
    a.sock.ping(2, world.clock.now(), 'any', size)
    a.wake()
  }

  test('is as long as asked for, and never shorter than a ping', () => {
    limitMtu(1_500)
    ping(1_300)
    ping(5)
    expect(lengths).toEqual([1_300, 124])
  })

  test('goes every way when the path is not known to carry it, and makes it known', () => {
    limitMtu(1_500)
    const since = world.clock.now()
    ping(1_472)
    expect(a.sent('ping', since)).toEqual([B, 'relay 1'])
    world.clock.advanceBy(100)
    expect(a.sock.status(2, world.clock.now())?.mtu).toBe(1_500)
    const later = world.clock.now()
    ping(1_472)
    expect(a.sent('ping', later)).toEqual([B])
  })

  test('that does not pass by the path is answered through the relay, and the path stays', () => {
    limitMtu(1_400)
    ping(1_472)
    world.clock.advanceBy(6_000)
    expect(a.news('ping').map((e) => e.result)).toMatchObject([{ ok: true, region: 1 }])
    expect(a.sock.status(2, world.clock.now())).toMatchObject({ endpoint: at(B), mtu: 1_360 })
  })

  test('has at most 65 475 bytes', () => {
    expect(() => a.sock.ping(2, world.clock.now(), 'any', 65_476)).toThrow(RangeError)
    expect(() => a.sock.ping(2, world.clock.now(), 'any', 1.5)).toThrow(/size/)
    expect(() => a.sock.ping(2, world.clock.now(), 'any', -1)).toThrow(RangeError)
  })
})

describe('ping', () => {
  test('D2: shows the relay first and the direct path as soon as that is faster', () => {
    a.meet(b.config({ endpoints: [] }))
    const first = a.sock.ping(2, world.clock.now())
    a.wake()
    world.clock.advanceBy(100)
    const second = a.sock.ping(2, world.clock.now())
    a.wake()
    world.clock.advanceBy(100)
    expect(a.news('ping').map(({ ping, result }) => [ping, result])).toEqual([
      [first, { ok: true, latency: 60, region: 1 }],
      [second, { ok: true, latency: 20, endpoint: b.config().endpoints[0] }],
    ])
  })

  test('goes by the path in use alone while that is trusted', () => {
    a.keepSending(2, 500, 2_000)
    const since = world.clock.now()
    world.relayLatency = 1
    a.sock.ping(2, world.clock.now())
    a.wake()
    world.clock.advanceBy(100)
    expect(a.sent('ping', since)).toEqual([B])
    expect(a.news('ping').map((e) => e.result)).toMatchObject([{ ok: true, endpoint: at(B) }])
  })

  test('over the relay alone takes the relay, however fast the direct path is', () => {
    a.keepSending(2, 500, 2_000)
    a.sock.ping(2, world.clock.now(), 'relay')
    a.wake()
    world.clock.advanceBy(100)
    expect(a.news('ping').map((e) => e.result)).toEqual([{ ok: true, latency: 60, region: 1 }])
  })

  test('ends after 5 s when nobody answers', () => {
    world.relayLatency = Infinity
    world.isLost = () => true
    const ping = a.sock.ping(2, world.clock.now())
    a.wake()
    world.clock.advanceBy(4_999)
    expect(a.news('ping')).toEqual([])
    world.clock.advanceBy(1)
    expect(a.news('ping')).toMatchObject([{ ping, peer: 2, result: { ok: false, reason: 'timeout' } }])
  })

  test('ends in time also when the peer restarts meanwhile, or its key turns out to be worth nothing', () => {
    world.relayLatency = Infinity
    world.isLost = () => true
    const first = a.sock.ping(2, world.clock.now())
    a.wake()
    a.meet(b.config({ discoKey: new Uint8Array(32).fill(7) }))
    a.meet(b.config({ discoKey: new Uint8Array(32) }))
    const second = a.sock.ping(2, world.clock.now())
    a.wake()
    world.clock.advanceBy(5_000)
    expect(a.news('ping').map(({ ping, result }) => [ping, result])).toEqual([
      [first, { ok: false, reason: 'timeout' }],
      [second, { ok: false, reason: 'timeout' }],
    ])
  })

  test('ends at once for unknown peers, and for those that cannot be pinged', () => {
    a.meet(b.config({ discoKey: undefined }))
    a.sock.ping(2, world.clock.now())
    a.sock.ping(3, world.clock.now())
    a.wake()
    expect(a.news('ping').map((e) => e.result)).toEqual([
      { ok: false, reason: 'no-path' },
      { ok: false, reason: 'unknown-peer' },
    ])
  })
})
