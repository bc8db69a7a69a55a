// The in-memory stream, and a client that lives on it.
import { expect, test } from 'vitest'
import { memoryStreamPair } from '../src/index.ts'

test('what is written to one end comes out of the other, also what came before the start', () => {
  const [near, far] = memoryStreamPair()
  const seen: (string | Uint8Array)[] = []
  near.write(Uint8Array.of(1))
  far.start({
    bytes: (bytes) => seen.push(bytes),
    drained: () => undefined,
    closed: () => seen.push('closed'),
  })
  near.write(Uint8Array.of(2))
  near.close()
  near.close()
  near.write(Uint8Array.of(3))
  expect(seen).toEqual([Uint8Array.of(1), Uint8Array.of(2), 'closed'])
})

test('an end that starts after the other has closed still gets everything, and the end of it', () => {
  const [near, far] = memoryStreamPair()
  const seen: (string | Uint8Array)[] = []
  near.write(Uint8Array.of(1))
  near.close()
  far.start({
    bytes: (bytes) => seen.push(bytes),
    drained: () => undefined,
    closed: () => seen.push('closed'),
  })
  expect(seen).toEqual([Uint8Array.of(1), 'closed'])
})
