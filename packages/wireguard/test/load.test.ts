import { nodeCrypto } from '@mesh/noise/node'
import { type Crypto, hasMac2, nobleCrypto, openCookieReply, macKeysOf, mac1Of } from '@mesh/noise'
import { seededRandom } from '@mesh/sansio'
import { describe, expect, test } from 'vitest'
import { ACTIVITY, type PeerConfig, WireGuard, type WireGuardOutput } from '../src/index.ts'
import { Peer } from '../src/peer.ts'

const WALL = 1_700_000_000_000

function machine(key: number, clock: () => number = () => 0): WireGuard {
  const privateKey = new Uint8Array(32).fill(key)
  return new WireGuard({
    privateKey,
    crypto: nodeCrypto,
    random: seededRandom(key),
    wallClock: () => WALL + clock(),
  })
}

function drain(wireguard: WireGuard): WireGuardOutput[] {
  const outputs: WireGuardOutput[] = []
  for (let output = wireguard.poll(); output !== undefined; output = wireguard.poll()) outputs.push(output)
  return outputs
}

const peer = (id: number, publicKey: Uint8Array): PeerConfig => ({ id, publicKey, allowedIps: [] })
const name = (source: number): Uint8Array => Uint8Array.of(source >> 8, source)
const replies = (outputs: readonly WireGuardOutput[]): Uint8Array[] =>
  outputs.flatMap((output) => (output.kind === 'reply' ? [output.datagram] : []))
const transmits = (outputs: readonly WireGuardOutput[]): Uint8Array[] =>
  outputs.flatMap((output) => (output.kind === 'transmit' ? [output.datagram] : []))

/** An initiation from a key that nobody knows: enough to cost work. */
function stranger(to: WireGuard, key: number, now: number): Uint8Array {
  const one = machine(key, () => now)
  one.setPeers([peer(1, to.publicKey)], now)
  one.handleActivity(1, 32, now)
  return transmits(drain(one))[0] ?? new Uint8Array()
}

/** Fills the queue of handshakes until the machine is under load. */
function load(busy: WireGuard, now: number): void {
  const initiation = stranger(busy, 200, now)
  for (let i = 0; i < 150; i += 1) busy.handleDatagram(initiation, 1_000 + i, name(1_000 + i), now)
  drain(busy)
}

describe('W15 under load', () => {
  test('a good initiation without MAC2 gets a cookie reply; the retry, with MAC2, gets its response', () => {
    let now = 0
    const alice = machine(1, () => now)
    const bob = machine(2, () => now)
    alice.setPeers([peer(7, bob.publicKey)], now)
    bob.setPeers([peer(8, alice.publicKey)], now)
    load(bob, now)
    alice.handleActivity(7, 32, now)
    const [first = new Uint8Array()] = transmits(drain(alice))
    bob.handleDatagram(first, 5, name(5), now)
    const answers = drain(bob)
    expect(answers.map((output) => output.kind)).toEqual(['reply'])
    const [reply = new Uint8Array()] = replies(answers)
    expect(reply.length).toBe(64)
    const cookie = openCookieReply(nobleCrypto, macKeysOf(nobleCrypto, bob.publicKey), mac1Of(first), reply)
    expect(cookie?.length).toBe(16)

    alice.handleDatagram(reply, 6, name(6), now)
    expect(drain(alice)).toEqual([]) // no resend because of it
    now = alice.pollTimeout()
    expect(now).toBeGreaterThanOrEqual(5_000)
    load(bob, now)
    alice.handleTimeout(now)
    const [second = new Uint8Array()] = transmits(drain(alice))
    expect(hasMac2(nobleCrypto, cookie ?? new Uint8Array(), second)).toBe(true)
    bob.handleDatagram(second, 5, name(5), now)
    let outputs = drain(bob)
    for (let i = 0; i < 100 && transmits(outputs).length === 0; i += 1) {
      now = Math.max(now, bob.pollTimeout())
      bob.handleTimeout(now)
      outputs = drain(bob)
    }
    expect(transmits(outputs)[0]?.length).toBe(92)
  })

  test('a handshake that had to wait says nothing of a source, which may name another by now', () => {
    const alice = machine(1)
    const bob = machine(2)
    alice.setPeers([peer(7, bob.publicKey)], 0)
    bob.setPeers([peer(8, alice.publicKey)], 0)
    alice.handleActivity(7, 32, 0)
    const [initiation = new Uint8Array()] = transmits(drain(alice))
    for (let i = 0; i < 16; i += 1) bob.handleDatagram(stranger(bob, 50 + i, 0), 100 + i, undefined, 0)
    bob.handleDatagram(initiation, 5, undefined, 0)
    expect(drain(bob)).toEqual([])
    bob.handleTimeout(bob.pollTimeout())
    expect(drain(bob).map(({ kind }) => kind)).toEqual(['session', 'transmit'])
  })

  test('threat 23: the cookie of one port is worth nothing at another', () => {
    const now = 0
    const bob = machine(2)
    load(bob, now)
    const initiation = stranger(bob, 3, now)
    bob.handleDatagram(initiation, 5, name(5), now)
    const [a] = replies(drain(bob))
    bob.handleDatagram(initiation, 6, name(6), now)
    const [b] = replies(drain(bob))
    const keys = macKeysOf(nobleCrypto, bob.publicKey)
    const open = (reply: Uint8Array | undefined) =>
      openCookieReply(nobleCrypto, keys, mac1Of(initiation), reply ?? new Uint8Array())
    expect(open(a)).toBeDefined()
    expect(open(a)).not.toEqual(open(b))
  })

  test('a second of calm later nothing more is asked for', () => {
    const bob = machine(2)
    const alice = machine(1)
    alice.setPeers([peer(7, bob.publicKey)], 0)
    bob.setPeers([peer(8, alice.publicKey)], 0)
    load(bob, 0)
    for (let now = 0; now < 1_500; now += 10) bob.handleTimeout(now)
    alice.handleActivity(7, 32, 1_500)
    const [initiation = new Uint8Array()] = transmits(drain(alice))
    bob.handleDatagram(initiation, 5, name(5), 1_500)
    expect(transmits(drain(bob)).length).toBe(1)
  })
})

describe('threat 23: one flooder', () => {
  test('10,000 initiations from one source cost the others neither a cookie nor a delay', {
    timeout: 60_000,
  }, () => {
    const bob = machine(2)
    const alice = machine(1)
    alice.setPeers([peer(7, bob.publicKey)], 0)
    bob.setPeers([peer(8, alice.publicKey)], 0)
    const flood = stranger(bob, 200, 0)
    for (let i = 0; i < 10_000; i += 1) bob.handleDatagram(flood, 1, name(1), i / 10)
    drain(bob)
    expect(bob.drops['cookie-sent']).toBeGreaterThan(9_900)
    alice.handleActivity(7, 32, 1_000)
    const [initiation = new Uint8Array()] = transmits(drain(alice))
    bob.handleDatagram(initiation, 5, name(5), 1_000)
    expect(transmits(drain(bob)).length).toBe(1)
  })

  /** A source as a socket names it: a port, and the address of a host. */
  const socketName = (host: number, port: number): Uint8Array =>
    Uint8Array.of(port >> 8, port & 255, 192, 0, 2, host)

  test('a host has one limit, however many ports it sends from', () => {
    const bob = machine(2)
    const flood = stranger(bob, 200, 0)
    for (let port = 0; port < 1_000; port += 1) bob.handleDatagram(flood, 1, socketName(1, port), 0)
    expect(bob.drops['cookie-sent']).toBe(995)
    const other = Uint8Array.of(0, 7, ...new Uint8Array(16).fill(1))
    for (let i = 0; i < 100; i += 1) bob.handleDatagram(flood, 1, other.with(17, i), 0) // all of one /64
    expect(bob.drops['cookie-sent']).toBe(995 + 95)
  })

  test('whoever is asked may answer, however many share an address', () => {
    const bob = machine(2)
    const keys = Array.from({ length: 20 }, (_, i) => i + 40)
    bob.setPeers(
      keys.map((key) => peer(key, machine(key).publicKey)),
      0,
    )
    for (const key of keys) bob.handleActivity(key, ACTIVITY.needSession, 0)
    const initiations = drain(bob).flatMap((output) => (output.kind === 'transmit' ? [output] : []))
    for (const { peer: key, datagram } of initiations) {
      const other = machine(key)
      other.setPeers([peer(1, bob.publicKey)], 0)
      other.handleDatagram(datagram, 1, name(1), 0)
      const [response = new Uint8Array()] = transmits(drain(other))
      bob.handleDatagram(response, 1, socketName(1, key), 0)
    }
    bob.handleTimeout(10)
    expect(drain(bob).filter((output) => output.kind === 'session').length).toBe(20)
    expect(bob.drops['cookie-sent']).toBe(0)
  })

  test('who floods in another host’s name cannot keep it out: with its cookie it has a limit of its own', () => {
    const bob = machine(2)
    const alice = machine(1)
    alice.setPeers([peer(7, bob.publicKey)], 0)
    bob.setPeers([peer(8, alice.publicKey)], 0)
    const flood = stranger(bob, 200, 0)
    const steal = (now: number): void => {
      for (let i = 0; i < 50; i += 1) bob.handleDatagram(flood, 1, socketName(1, i), now)
      drain(bob)
    }
    steal(0)
    alice.handleActivity(7, 32, 0)
    const [first = new Uint8Array()] = transmits(drain(alice))
    bob.handleDatagram(first, 5, socketName(1, 500), 0)
    const [cookie = new Uint8Array()] = replies(drain(bob))
    alice.handleDatagram(cookie, 6, name(6), 0)
    const now = alice.pollTimeout()
    alice.handleTimeout(now)
    steal(now)
    const [second = new Uint8Array()] = transmits(drain(alice))
    bob.handleDatagram(second, 5, socketName(1, 500), now)
    expect(transmits(drain(bob)).length).toBe(1)
  })

  test('without names for sources a burst of many peers is worked on, none refused', () => {
    const bob = machine(2)
    const keys = Array.from({ length: 30 }, (_, i) => i + 40)
    bob.setPeers(
      keys.map((key) => peer(key, machine(key).publicKey)),
      0,
    )
    for (const key of keys) bob.handleDatagram(stranger(bob, key, 0), -1, undefined, 0)
    bob.handleTimeout(10)
    expect(transmits(drain(bob)).length).toBe(30)
  })
})

describe('W3 what a bad initiation costs', () => {
  /** The crypto of Node, with a list of what it was asked for. */
  function counted(): { readonly crypto: Crypto; readonly calls: string[] } {
    const calls: string[] = []
    const crypto = new Proxy(nodeCrypto, {
      get: (target, property: keyof Crypto) => {
        if (property !== 'name') calls.push(property)
        return target[property]
      },
    })
    return { crypto, calls }
  }

  test('with a bad MAC1 one hash and nothing else; an agreement only once MAC1 is right', () => {
    const { crypto, calls } = counted()
    const options = { privateKey: new Uint8Array(32).fill(2), random: seededRandom(2), wallClock: () => WALL }
    const bob = new WireGuard({ ...options, crypto })
    bob.setPeers([peer(8, machine(1).publicKey)], 0)
    const good = stranger(bob, 200, 0)
    calls.length = 0
    for (const at of [4, 20, 100, 116, 131]) {
      bob.handleDatagram(good.with(at, (good[at] ?? 0) ^ 1), 5, name(5), 0)
      expect(calls.splice(0)).toEqual(['blake2s'])
    }
    expect([drain(bob), bob.drops['bad-mac1']]).toEqual([[], 5])
    bob.handleDatagram(good, 5, name(5), 0)
    expect(calls).toContain('x25519')
    expect(drain(bob)).toEqual([])
  })
})

describe('W5 a restart', () => {
  test('a machine begun anew is answered, for its timestamps go by the clock; one whose clock went back is not', () => {
    const bob = machine(2)
    bob.setPeers([peer(8, machine(1).publicKey)], 0)
    const initiationAt = (wall: number): Uint8Array => {
      const alice = machine(1, () => wall)
      alice.setPeers([peer(7, bob.publicKey)], 0)
      alice.handleActivity(7, 32, 0)
      return transmits(drain(alice))[0] ?? new Uint8Array()
    }
    const answers = [0, 17, -3_600_000, 16, 34].map((wall, index) => {
      bob.handleDatagram(initiationAt(wall), 5, name(5), 1_000 * index)
      return transmits(drain(bob)).length
    })
    expect(answers).toEqual([1, 1, 0, 0, 1])
    expect(bob.drops.replayed).toBe(2)
  })
})

test('W16 what a peer keeps of keys is overwritten, not only forgotten', () => {
  const known = new Peer(nodeCrypto, new Uint8Array(32).fill(1), peer(1, machine(2).publicKey))
  const shared = known.staticShared ?? new Uint8Array()
  expect(shared.some((byte) => byte !== 0)).toBe(true)
  known.wipe()
  expect(shared).toEqual(new Uint8Array(32))
})

test('no more than 65,536 peers are taken', () => {
  const one = peer(1, machine(1).publicKey)
  expect(() =>
    machine(2).setPeers(
      Array.from({ length: 65_537 }, () => one),
      0,
    ),
  ).toThrow(RangeError)
})

describe('W4 too many of one', () => {
  test('a second valid initiation 20 ms or less after an accepted one gets no response', () => {
    let wall = 0
    const alice = machine(1, () => wall)
    const bob = machine(2)
    alice.setPeers([peer(7, bob.publicKey)], 0)
    bob.setPeers([peer(8, alice.publicKey)], 0)
    const initiate = (): Uint8Array => {
      wall += 100
      alice.resetPeer(7)
      alice.handleActivity(7, 32, wall)
      return transmits(drain(alice))[0] ?? new Uint8Array()
    }
    const answers = [0, 20, 41].map((now) => {
      bob.handleDatagram(initiate(), 5, name(5), now)
      return transmits(drain(bob)).length
    })
    expect(answers).toEqual([1, 0, 1])
    expect(bob.drops['too-soon']).toBe(1)
  })
})

test('threat 24: indices are random and never two alike', () => {
  const bob = machine(2)
  const keys = Array.from({ length: 30 }, (_, i) => i + 40)
  bob.setPeers(
    keys.map((key) => peer(key, machine(key).publicKey)),
    0,
  )
  for (const key of keys) bob.handleActivity(key, 32, 0)
  const indices = transmits(drain(bob)).map((message) => message.subarray(4, 8))
  expect(new Set(indices.map((index) => index.join('.'))).size).toBe(30)
  // One that counts up would have the same bytes at all places but one.
  for (const at of [0, 1, 2, 3]) expect(new Set(indices.map((index) => index[at])).size).toBeGreaterThan(20)
})

test('a peer with a low-order key, or our own key, is never talked to', () => {
  const bob = machine(2)
  bob.setPeers([peer(1, new Uint8Array(32)), peer(2, bob.publicKey)], 0)
  bob.handleActivity(1, 32, 0)
  bob.handleActivity(2, 32, 0)
  expect(drain(bob)).toEqual([])
  expect(bob.status(2)).toBeUndefined()
})

test('W5 after a restart everybody believes the new timestamps, however many were greeted just before', () => {
  let now = 0
  const bob = machine(2, () => now)
  bob.setPeers([peer(1, machine(1).publicKey)], now)
  const crowd = Array.from({ length: 200 }, (_, i) => peer(i + 10, machine(i + 10).publicKey))
  const greet = (): void => {
    const alice = machine(1, () => now)
    alice.setPeers([...crowd, peer(2, bob.publicKey)], now)
    for (const { id } of [...crowd, { id: 2 }]) alice.handleActivity(id, ACTIVITY.needSession, now)
    bob.handleDatagram(transmits(drain(alice)).at(-1) ?? new Uint8Array(), 1, name(1), now)
  }
  greet()
  now = 1_000
  greet()
  expect(bob.drops).toMatchObject({ replayed: 0, 'bad-handshake': 0 })
  expect(drain(bob).filter(({ kind }) => kind === 'session')).toHaveLength(2)
})

test('of two peers with one number the last is known, and talked to', () => {
  const bob = machine(2)
  const alice = machine(1)
  alice.setPeers([peer(8, bob.publicKey)], 0)
  bob.setPeers([peer(7, machine(3).publicKey), peer(7, alice.publicKey)], 0)
  alice.handleActivity(8, ACTIVITY.needSession, 0)
  bob.handleDatagram(transmits(drain(alice))[0] ?? new Uint8Array(), 1, name(1), 0)
  expect(drain(bob).filter(({ kind }) => kind === 'session')).toHaveLength(1)
})
