// Clients that send too much: they are slowed down, and lose nothing.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatHexKey } from '@mesh/keys'
import { FRAME_RECV_PACKET } from '@mesh/wire/derp'
import { Allowance } from '../src/allowance.ts'
import { MIN_RECEIVE_BURST } from '../src/index.ts'
import { openLedger, setLimit, SharedAllowance } from '../src/shared-allowance.ts'
import { type BenchClient, dataPacket, RelayBench } from './support.ts'

const LIMIT = { bytesPerSecond: 100_000 }

test('who sends more than the receive limit is read no further until the debt is paid, and loses no packet', () => {
  const bench = new RelayBench({ receiveLimit: LIMIT })
  const [alice, bob] = [bench.connect(1).login(), bench.connect(2).login()]
  let sent = 0
  while (!alice.paused) {
    alice.send(bob, dataPacket(1, 10_000))
    sent += 1
  }
  expect(sent).toBe(Math.ceil(MIN_RECEIVE_BURST / 10_037))
  expect(bob.got(FRAME_RECV_PACKET)).toHaveLength(sent)
  expect(bob.paused).toBe(false)
  const debt = sent * 10_037 - MIN_RECEIVE_BURST
  bench.advance(debt / 100 - 1)
  expect(alice.paused).toBe(true)
  // The login counted too.
  bench.advance(5)
  expect(alice.paused).toBe(false)
  expect(bench.relay.stats.pauses).toBe(1)
})

test('over a minute a client gets what the limit says and the burst', () => {
  const bench = new RelayBench({ receiveLimit: { bytesPerSecond: 100_000, burst: 200_000 } })
  const [alice, bob] = [bench.connect(1).login(), bench.connect(2).login()]
  for (let time = 0; time < 60_000; time += 5) {
    if (!alice.paused) alice.send(bob, dataPacket(1, 1_400))
    bench.advance(5)
  }
  const bytes = bench.relay.stats.packetsReceived * 1_437
  expect(bytes).toBeGreaterThan(6_100_000)
  expect(bytes).toBeLessThan(6_300_000)
})

test('mesh peers are exempt, and a changed limit holds at once for those that are here', () => {
  const meshKey = new Uint8Array(32).fill(1)
  const bench = new RelayBench({ receiveLimit: LIMIT, meshKey })
  const info = { version: 2, canAckPings: true, isProber: false }
  const sibling = bench.connect(9).login({ ...info, meshKey: formatHexKey(meshKey) })
  const alice = bench.connect(1).login()
  for (let i = 0; i < 10; i += 1) sibling.send(alice, dataPacket(1, 60_000))
  expect(sibling.paused).toBe(false)
  for (let i = 0; i < 2; i += 1) alice.send(sibling, dataPacket(1, 60_000))
  expect(alice.paused).toBe(true)
  bench.relay.setReceiveLimit(undefined, bench.now)
  bench.drain()
  expect(alice.paused).toBe(false)
  for (let i = 0; i < 10; i += 1) alice.send(sibling, dataPacket(1, 60_000))
  expect(alice.paused).toBe(false)
})

test('clients of one identity share a quota, others do not feel it, and the last that leaves takes it along', () => {
  const bench = new RelayBench({ admission: true })
  const admit = (seed: number, identity: string, bytesPerSecond = 100_000): BenchClient => {
    const client = bench.connect(seed).login()
    bench.relay.handleAdmission(client.id, true, bench.now, { identity, bytesPerSecond })
    bench.drain()
    return client
  }
  const [laptop, phone, other] = [admit(1, 'ann'), admit(2, 'ann'), admit(3, 'bob')]
  laptop.send(other, dataPacket(1, 60_000))
  expect(laptop.paused).toBe(false)
  phone.send(other, dataPacket(1, 60_000))
  other.send(laptop, dataPacket(1, 60_000))
  expect([laptop.paused, phone.paused, other.paused]).toEqual([false, true, false])
  // Half a second for what is too much.
  bench.advance(600)
  expect(phone.paused).toBe(false)
  // What the admission said last holds for all.
  const tablet = admit(4, 'ann', 1_000)
  tablet.send(other, dataPacket(1, 65_000))
  laptop.send(other, dataPacket(1, 3_000))
  expect(laptop.paused).toBe(true)
  bench.advance(1_000)
  expect(laptop.paused).toBe(true)
  for (const client of [laptop, phone, tablet]) client.leave()
  const again = admit(5, 'ann')
  again.send(other, dataPacket(1, 60_000))
  expect(again.paused).toBe(false)
})

test('several hands in one account spend what one would, whatever their clocks say', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ hand: fc.nat(2), length: fc.nat(70_000), wait: fc.nat(2_000) }), {
        maxLength: 60,
      }),
      fc.constantFrom(0, 12_345.678, 2 ** 31 - 500, 2 ** 32 - 500, 9e12),
      (steps, origin) => {
        const limit = { bytesPerSecond: 50_000, burst: 100_000 }
        const ledger = openLedger(origin)
        setLimit(ledger, limit)
        const hands = [0, 77.5, -300].map((ahead) => ({
          ahead,
          hand: new SharedAllowance(ledger, origin - ahead),
        }))
        const whole = new Allowance(limit, 0)
        let now = 0
        for (const { hand, length, wait } of steps) {
          now += wait
          const each = hands[hand]!
          const said = each.hand.spend(length, now + each.ahead)
          // Each hand counts whole milliseconds.
          expect(Math.abs(said - whole.spend(length, now))).toBeLessThanOrEqual(steps.length + 3)
        }
      },
    ),
  )
})

test('an account that nobody used for weeks owes nothing, and a new limit holds for every hand', () => {
  const ledger = openLedger(0)
  setLimit(ledger, { bytesPerSecond: 1_000 })
  const [one, other] = [new SharedAllowance(ledger, 0), new SharedAllowance(ledger, 0)]
  expect(one.spend(MIN_RECEIVE_BURST + 1_000, 0)).toBe(1_000)
  expect(other.spend(1_000, 0)).toBe(2_000)
  for (const days of [10, 30, 40]) expect(one.spend(1_000, days * 86_400_000)).toBe(0)
  setLimit(ledger, { bytesPerSecond: 100_000 })
  expect(other.spend(MIN_RECEIVE_BURST + 100_000, 40 * 86_400_000)).toBeGreaterThan(900)
})
