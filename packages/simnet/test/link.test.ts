// What a wire may do to datagrams besides taking time and losing: double them, reorder them, make them wait.
import { expect, test } from 'vitest'
import { SimNet } from '../src/index.ts'
import { listen } from './support.ts'

/** Sends numbered datagrams of `length` bytes at once over a link; returns what came, and when. */
function flood(link: object, count: number, length = 2): { seen: string[]; at: number[]; net: SimNet } {
  const net = new SimNet({ seed: 3 })
  const server = net.host({ link: { latency: 0 } })
  const bob = listen(server, 7)
  const alice = listen(net.host({ link }))
  const at: number[] = []
  const before = bob.socket.onDatagram
  bob.socket.onDatagram = (bytes, from, now) => {
    at.push(now)
    before?.(bytes, from, now)
  }
  for (let i = 0; i < count; i += 1)
    alice.say(server.endpoint(7), String(i).padStart(2, '0').padEnd(length, '.'))
  net.clock.advanceBy(10_000)
  return { seen: bob.seen.map((text) => text.slice(0, 2)), at, net }
}

test('duplication makes the part asked for arrive twice, and says so', () => {
  const { seen } = flood({ duplication: 0.2 }, 100)
  expect(new Set(seen).size).toBe(100)
  expect(seen.length).toBeGreaterThan(105)
  expect(seen.length).toBeLessThan(135)
})

test('reordering lets later datagrams overtake, and loses none', () => {
  const { seen } = flood({ reorder: 0.2 }, 100)
  expect(seen.toSorted()).toEqual(flood({}, 100).seen)
  expect(seen).not.toEqual(seen.toSorted())
})

test('a rate spaces datagrams by the time their bits take', () => {
  // 97 bytes and 28 of headers are 1,000 bits: a millisecond at a megabit.
  const { at } = flood({ rate: 1e6, latency: 10 }, 3, 97)
  expect(at).toEqual([11, 12, 13])
})

test('what would wait longer than the queue is long is dropped', () => {
  const { seen, net } = flood({ rate: 1e6, queue: 5 }, 20, 97)
  expect(seen).toEqual(['00', '01', '02', '03', '04', '05'])
  expect(net.drops.get('queue-full')).toBe(14)
})

test('the two ways of a slow link do not wait for each other', () => {
  const net = new SimNet()
  const server = net.host({ link: { latency: 0 } })
  const client = net.host({ link: { rate: 1e5, latency: 0 } })
  const [alice, bob] = [listen(client, 5), listen(server, 7)]
  alice.say(server.endpoint(7), 'x'.repeat(97))
  bob.say(client.endpoint(5), 'y'.repeat(97))
  net.clock.advanceBy(10)
  expect([alice.seen.length, bob.seen.length]).toEqual([1, 1])
})
