// What peers can make a stack keep by sending ahead of a gap that they never fill.
import { TCP_ACK, TCP_RST, TCP_SYN, type TcpHeader, type TcpSegment } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { Reassembly, ReassemblyBudget } from '../src/tcp/reassembly.ts'
import { TcpConnection } from '../src/tcp/tcp-connection.ts'

const FIRST = 1_000

/** A connection that a peer has opened, and a way to be that peer. */
function opened(reassembly: ReassemblyBudget): {
  connection: TcpConnection
  hear: (sequence: number, flags: number, length?: number) => void
  data: number[]
} {
  const sent: TcpHeader[] = []
  const data: number[] = []
  const ignore = (): void => undefined
  const signals = {
    segment: (header: TcpHeader) => void sent.push(header),
    data: (bytes: Uint8Array) => void data.push(bytes.length),
    opened: ignore,
    ended: ignore,
    writable: ignore,
    closed: ignore,
  }
  const sizes = { maximumSegmentSize: 1_000, defaultSegmentSize: 536 }
  const connection = new TcpConnection({ initialSequence: 7, ...sizes, reassembly, signals })
  const segment = (sequence: number, flags: number, length: number): TcpSegment => ({
    sourcePort: 1,
    destinationPort: 2,
    sequence,
    acknowledgment: flags === TCP_SYN ? 0 : 8,
    flags,
    window: 65_535,
    checksum: 0,
    urgent: 0,
    options: new Uint8Array(0),
    payload: new Uint8Array(length),
  })
  const hear = (sequence: number, flags: number, length = 0): void =>
    connection.handleSegment(segment(sequence, flags, length), 0)
  connection.accept(segment(FIRST - 1, TCP_SYN, 0), 0)
  hear(FIRST, TCP_ACK)
  return { connection, hear, data }
}

test('threat 26: all streams together keep no more than their budget, and what is dropped may come again', () => {
  const budget = new ReassemblyBudget(2_500)
  const streams = Array.from({ length: 4 }, () => new Reassembly(budget))
  for (const stream of streams) stream.keep(10, new Uint8Array(1_000))
  expect(streams.map((stream) => stream.waiting)).toEqual([true, true, false, false])
  expect(streams[0]?.take(10)).toHaveLength(1)
  streams[2]?.keep(10, new Uint8Array(1_000))
  expect([streams[2]?.waiting, budget.left]).toEqual([true, 500])
  for (const stream of streams) stream.clear()
  expect(budget.left).toBe(2_500)
})

test('threat 26: a connection gives back what it kept, whichever way it ends, and when the gap is filled', () => {
  const budget = new ReassemblyBudget(10_000)
  const ends: ((it: ReturnType<typeof opened>) => void)[] = [
    ({ connection }) => connection.abort(),
    ({ connection }) => connection.forget(),
    ({ hear }) => hear(FIRST, TCP_RST),
    ({ hear, data }) => {
      hear(FIRST, TCP_ACK, 100)
      expect(data).toEqual([100, 900, 1_000])
    },
  ]
  for (const end of ends) {
    const it = opened(budget)
    it.hear(FIRST + 100, TCP_ACK, 900)
    it.hear(FIRST + 1_000, TCP_ACK, 1_000)
    expect(budget.left).toBe(8_100)
    end(it)
    expect(budget.left).toBe(10_000)
  }
})
