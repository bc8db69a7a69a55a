// Cores on several threads that seal with the same keys: no counter is ever taken twice (W12).
import { expect, test } from 'vitest'
import { ArenaSession, SHARED_SESSION_BYTES } from '../../src/linux/arena-session.ts'
import { PlanePeer } from '../../src/plane-peer.ts'
import { KeySlots } from '../../src/wasm/index.ts'

function openSession(shared?: Int32Array): ArenaSession {
  const slots = new KeySlots(new ArrayBuffer(1024), 0, 4)
  const key = new Uint8Array(32)
  const keys = { localIndex: 1, remoteIndex: 2, sendKey: key, receiveKey: key, initiator: true, createdAt: 0 }
  const session = ArenaSession.open(new PlanePeer(1), keys, slots, shared)
  if (session === undefined) throw new Error('no free slot')
  return session
}

test('W12: two cores take turns at random and never take the same counter', () => {
  const shared = new Int32Array(new SharedArrayBuffer(SHARED_SESSION_BYTES))
  const sessions = [openSession(shared), openSession(shared)] as const
  const taken = new Set<number>()
  let wanted = 0
  for (let i = 0; i < 2_000; i += 1) {
    const session = sessions[(i * 7 + (i >> 3)) & 1 ? 1 : 0]
    const count = 1 + ((i * 13) % 47)
    session.claim(count)
    for (let n = 0; n < count; n += 1) taken.add(session.counterLow + n)
    session.advance(count)
    wanted += count
  }
  expect(taken.size).toBe(wanted)
})

test('W12: long before a shared counter is used up the session asks to be renewed, and then seals no more', () => {
  const shared = new Int32Array(new SharedArrayBuffer(SHARED_SESSION_BYTES))
  const session = openSession(shared)
  const at = (counter: number): void => {
    shared[0] = counter | 0
    session.claim(1)
  }
  at(0x7fff_ffff)
  expect([session.canSend(0), session.wantsRekeyOnSend(0)]).toEqual([true, false])
  at(0x8000_0000)
  expect([session.canSend(0), session.wantsRekeyOnSend(0)]).toEqual([true, true])
  at(0xff00_0000)
  expect(session.canSend(0)).toBe(false)
  expect(session.counterHigh).toBe(0)
})

test('alone, a session counts exactly over all 64 bits', () => {
  const session = openSession()
  session.counterLow = 0xffff_fff0
  session.claim(32)
  session.advance(32)
  expect([session.counterHigh, session.counterLow]).toEqual([1, 0x10])
})
