import { expect, test } from 'vitest'
import { SEND_QUEUE_LENGTH } from '../src/index.ts'
import { PacketQueue } from '../src/packet-queue.ts'

function push(queue: PacketQueue<undefined>, mark: number, length: number): Uint8Array {
  const frame = queue.memoryFor(length)
  frame.fill(mark)
  queue.push({ source: undefined, frame })
  return frame
}

test('threat 27: a queue that overflows uses the memory of what leaves, and holds the newest in order', () => {
  const queue = new PacketQueue<undefined>(SEND_QUEUE_LENGTH)
  const memory = new Set<Uint8Array>()
  for (let mark = 0; mark < 200; mark += 1) memory.add(push(queue, mark, 100))
  expect(memory.size).toBe(SEND_QUEUE_LENGTH)
  memory.add(push(queue, 200, 60))
  expect(memory.size).toBe(SEND_QUEUE_LENGTH + 1)
  const held = Array.from({ length: SEND_QUEUE_LENGTH }, () => queue.shift()?.frame)
  expect(held.map((frame) => [frame?.[0], frame?.length])).toEqual(
    Array.from({ length: SEND_QUEUE_LENGTH }, (_, i) => [169 + i, i === SEND_QUEUE_LENGTH - 1 ? 60 : 100]),
  )
  expect(queue.shift()).toBeUndefined()
})
