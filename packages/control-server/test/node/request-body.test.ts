import { expect, test } from 'vitest'
import { BodyBudget, BodyRoom, RequestBody } from '../../src/node/request-body.ts'

test('threat 26: a body in pieces of one byte keeps no piece, and its room is what counts', () => {
  const budget = BodyBudget.together().connection()
  const body = new RequestBody(budget, () => undefined)
  const piece = new Uint8Array(4096)
  for (let i = 0; i < 5000; i += 1) {
    piece[0] = i
    expect(body.add(piece.subarray(0, 1))).toBe(true)
  }
  expect(budget.take((4 << 20) - 8192 + 1)).toBe(false)
  expect(budget.take((4 << 20) - 8192)).toBe(true)
  budget.release((4 << 20) - 8192)
  const whole = body.finish()
  expect([whole.length, whole[1], whole[4999]]).toEqual([5000, 1, 4999 & 0xff])
  expect(budget.take(4 << 20)).toBe(true)
})

test('threat 26: a body has its bound', () => {
  const body = new RequestBody(BodyBudget.together().connection(), () => undefined)
  expect(body.add(new Uint8Array(1 << 20))).toBe(true)
  expect(body.add(new Uint8Array(1))).toBe(false)
  body.abandon()
})

test('threat 26: bodies that may each be long have no more room together than one of them', () => {
  const all = BodyBudget.together()
  const [one, two] = [new BodyRoom(all, 256 << 20), new BodyRoom(all, 256 << 20)]
  expect(all.take(255 << 20)).toBe(true)
  expect(one.add(new Uint8Array(1 << 20))).toBe(true)
  expect(two.add(new Uint8Array(1))).toBe(false)
  one.abandon()
  expect(two.add(new Uint8Array(1))).toBe(true)
})
