// Gates on several threads count in the same memory.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { GateDrops } from '../../src/index.ts'

const EACH = 2_000_000

test('no packet that two threads drop at the same time goes uncounted', async () => {
  const memory = new SharedArrayBuffer(GateDrops.byteLength + 4)
  const program = new URL('./programs/dropping-gate.ts', import.meta.url)
  const threads = [1, 2].map(() => new Worker(program, { workerData: { memory, count: EACH } }))
  await Promise.all(threads.map((thread) => once(thread, 'exit')))
  expect(new GateDrops(memory).snapshot()['no-rule']).toBe(2 * EACH)
})
