import { describe, expect, test } from 'vitest'
import { PlanePeer } from '../src/plane-peer.ts'
import { isBeyondLimit, Session } from '../src/session.ts'

const keys = {
  localIndex: 1,
  remoteIndex: 2,
  sendKey: new Uint8Array(32).fill(1),
  receiveKey: new Uint8Array(32).fill(2),
  initiator: false,
  createdAt: 0,
}
const at = (counter: bigint): Session =>
  new Session(new PlanePeer(1), keys, Number(counter >> 32n), Number(counter & 0xffff_ffffn))
const counterOf = (session: Session): bigint =>
  (BigInt(session.counterHigh) << 32n) | BigInt(session.counterLow)

describe('threat 22: the send counter', () => {
  test.each([2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n])(
    'goes on by one at %d',
    (counter) => {
      const session = at(counter)
      session.advance()
      expect(counterOf(session)).toBe(counter + 1n)
    },
  )

  test('stops at 2^64 - 2^13 - 1', () => {
    const session = at(2n ** 64n - 2n ** 13n - 2n)
    expect(session.canSend(0)).toBe(true)
    session.advance()
    expect(session.canSend(0)).toBe(false)
  })

  test('asks for a rekey beyond 2^60, whoever began the session', () => {
    expect(at(2n ** 60n).wantsRekeyOnSend(0)).toBe(false)
    expect(at(2n ** 60n + 1n).wantsRekeyOnSend(0)).toBe(true)
    expect(at(2n ** 61n).wantsRekeyOnSend(0)).toBe(true)
  })

  test('the limit is exact', () => {
    expect(isBeyondLimit(0xffff_ffff, 0xffff_dffe)).toBe(false)
    expect(isBeyondLimit(0xffff_ffff, 0xffff_dfff)).toBe(true)
    expect(isBeyondLimit(0xffff_fffe, 0xffff_ffff)).toBe(false)
  })
})

test('threat 17: a session begins at counter 0 with keys of its own handshake, and wipes its copies only', () => {
  const session = at(0n)
  expect(counterOf(session)).toBe(0n)
  session.wipe()
  expect(session.sendKey).toEqual(new Uint8Array(32))
  expect(keys.sendKey[0]).toBe(1)
})
