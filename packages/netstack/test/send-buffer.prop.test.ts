import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TCP_BUFFER } from '../src/index.ts'
import { SendBuffer } from '../src/tcp/send-buffer.ts'

const STEP = fc.record({
  push: fc.uint8Array({ maxLength: 5_000 }),
  offset: fc.nat(9_000),
  length: fc.nat(2_000),
  drop: fc.nat(5_000),
})

test('keeps the bytes of a stream, whatever is pushed, read and dropped', () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 40 }), (steps) => {
      const buffer = new SendBuffer(9_000)
      let model: number[] = []
      for (const step of steps) {
        const taken = buffer.push(step.push)
        expect(taken).toBe(Math.min(step.push.length, 9_000 - model.length))
        model.push(...step.push.subarray(0, taken))
        const from = Math.min(step.offset, model.length)
        const length = Math.min(step.length, model.length - from)
        expect([...buffer.read(from, length)]).toEqual(model.slice(from, from + length))
        buffer.drop(step.drop)
        model = model.slice(step.drop)
        expect([buffer.length, buffer.room]).toEqual([model.length, 9_000 - model.length])
        expect(buffer.allocated).toBeLessThanOrEqual(9_000)
      }
    }),
  )
})

test('threat 26: takes no memory while nothing waits, and no more than a little too much while something does', () => {
  const buffer = new SendBuffer(TCP_BUFFER)
  expect(buffer.allocated).toBe(0)
  buffer.push(new Uint8Array(100))
  expect(buffer.allocated).toBe(2_048)
  buffer.push(new Uint8Array(TCP_BUFFER))
  expect([buffer.room, buffer.allocated]).toEqual([0, TCP_BUFFER])
  buffer.drop(TCP_BUFFER)
  expect([buffer.length, buffer.allocated]).toEqual([0, 0])
})
