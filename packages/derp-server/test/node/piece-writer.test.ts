// What a platform is given at once, and what is said of it.
import { expect, test } from 'vitest'
import { PieceWriter } from '../../src/node/piece-writer.ts'

interface Given {
  readonly chunks: readonly Uint8Array[]
  readonly done: () => void
}

function writer(onTaken: (length: number) => void = () => undefined): [PieceWriter, Given[], number[]] {
  const given: Given[] = []
  const taken: number[] = []
  const pieces = new PieceWriter((chunks, done) => given.push({ chunks, done }), {
    taken(length) {
      taken.push(length)
      onTaken(length)
    },
  })
  return [pieces, given, taken]
}

const chunk = (length: number, mark = 0): Uint8Array => new Uint8Array(length).fill(mark)
const lengthOf = ({ chunks }: Given): number => chunks.reduce((sum, { length }) => sum + length, 0)

test('S13: a platform has one record at a time, so that a slow client that takes something is seen to take it', () => {
  const [pieces, given, taken] = writer()
  pieces.write(Array.from({ length: 90 }, (_, i) => chunk(1_437, i)))
  for (let i = 0; i < given.length; i += 1) {
    expect(lengthOf(given[i]!)).toBeLessThan(16_384 + 1_437)
    expect(taken).toHaveLength(i)
    given[i]!.done()
  }
  expect(taken).toEqual(given.map(lengthOf))
  expect(taken.reduce((sum, length) => sum + length)).toBe(90 * 1_437)
})

test('bytes come out in the order in which they went in, also those written from within', () => {
  const [pieces, given] = writer((length) => {
    if (length === 3) pieces.write([chunk(1, 9)])
  })
  pieces.write([chunk(1, 1), chunk(2, 2)])
  pieces.write([chunk(20_000, 3), chunk(1, 4)])
  for (const { done } of given) done()
  const marks = given.flatMap(({ chunks }) => chunks).map((bytes) => [bytes.length, bytes[0]])
  expect(marks).toEqual([
    [1, 1],
    [2, 2],
    [20_000, 3],
    [1, 4],
    [1, 9],
  ])
})

test('frames that lie behind each other in memory are given as one', () => {
  const [pieces, given] = writer()
  const slab = Uint8Array.from({ length: 300 }, (_, i) => i)
  pieces.write([slab.subarray(0, 100), slab.subarray(100, 150), chunk(5), slab.subarray(200, 300)])
  expect(given[0]?.chunks).toEqual([slab.subarray(0, 150), chunk(5), slab.subarray(200, 300)])
})
