// Keys end by control's clock, without a message saying so.
import { expect, test } from 'vitest'
import { applyMapResponse, expireNodes, NO_CHANGES, nextExpiry, peerById } from '../src/index.ts'
import { apply, NOW, peer, SNAPSHOT, snapshot } from './support.ts'

const at = (time: number) => new Date(time).toISOString()
const HOUR = 3_600_000

test('threat 19: a peer whose key ends by the clock is marked, and WireGuard must act', () => {
  const map = apply(snapshot(), { PeersChangedPatch: [{ NodeID: 8, KeyExpiry: at(NOW + HOUR) }] }).map
  expect(peerById(map, 8)?.expired).toBe(false)
  expect(nextExpiry(map)).toBe(NOW + HOUR)
  expect(expireNodes(map, NOW + HOUR - 1)).toEqual({ map, changes: NO_CHANGES })
  const { map: later, changes } = expireNodes(map, NOW + HOUR)
  expect(peerById(later, 8)?.expired).toBe(true)
  expect(changes).toMatchObject({ changed: [8], wireguard: true, paths: true, routes: true })
  expect(nextExpiry(later)).toBe(Infinity)
})

test('control 26: a key that was extended is good again', () => {
  const ended = apply(snapshot(), { Node: peer(7, { KeyExpiry: at(NOW - 1) }) }).map
  expect(ended.self.expired).toBe(true)
  const { map, changes } = apply(ended, { Node: peer(7, { KeyExpiry: at(NOW + HOUR) }) })
  expect(map.self.expired).toBe(false)
  expect(changes.self).toBe(true)
})

test('the zero time in a patch means never', () => {
  const map = apply(snapshot(), { PeersChangedPatch: [{ NodeID: 8, KeyExpiry: at(NOW - 1) }] }).map
  expect(peerById(map, 8)?.expired).toBe(true)
  const again = apply(map, { PeersChangedPatch: [{ NodeID: 8, KeyExpiry: '0001-01-01T00:00:00Z' }] }).map
  expect(peerById(again, 8)).toMatchObject({ expired: false, keyExpiry: undefined })
})

test("it is control's clock that counts, once it is more than a minute away", () => {
  const slow = NOW - HOUR
  const first = { ...SNAPSHOT, ControlTime: at(NOW), Peers: [peer(8, { KeyExpiry: at(NOW) })] }
  const { map } = applyMapResponse(undefined, first, { wallNow: slow })!
  expect(map.clockOffset).toBe(HOUR)
  expect(peerById(map, 8)?.expired).toBe(true)
  const close = applyMapResponse(undefined, first, { wallNow: NOW - 59_000 })!.map
  expect(close.clockOffset).toBe(0)
  expect(peerById(close, 8)?.expired).toBe(false)
  expect(nextExpiry(close)).toBe(NOW)
})

test('a clock that cannot be right expires nobody', () => {
  const map = snapshot({ Peers: [peer(8, { KeyExpiry: '2000-01-01T00:00:00Z' })] })
  expect(peerById(map, 8)?.expired).toBe(true)
  const unset = applyMapResponse(
    undefined,
    { ...SNAPSHOT, Peers: [peer(8, { KeyExpiry: '1999-01-01T00:00:00Z' })] },
    { wallNow: Date.UTC(2000, 0, 1) },
  )!.map
  expect(peerById(unset, 8)?.expired).toBe(false)
})
