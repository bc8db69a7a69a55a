import { expect, test } from 'vitest'
import { placeOf } from '../../src/places.ts'
import { Strangers } from '../../src/node/strangers.ts'

class ConnectionFake {
  ended = false

  destroy(): void {
    this.ended = true
  }
}

function crowd(strangers: Strangers, size: number, addressOf: (i: number) => string): ConnectionFake[] {
  return Array.from({ length: size }, (_, i) => {
    const connection = new ConnectionFake()
    strangers.add(connection, placeOf(addressOf(i)))
    return connection
  })
}

const ended = (connections: readonly ConnectionFake[]): number =>
  connections.filter((one) => one.ended).length

test('threat 26: the oldest strangers of an address make room for its newest, and for nobody else', () => {
  const strangers = new Strangers()
  const other = crowd(strangers, 10, () => '192.0.2.2')
  const flood = crowd(strangers, 300, () => '192.0.2.1')
  expect(flood.slice(0, 44).every((one) => one.ended)).toBe(true)
  expect([ended(flood), ended(other)]).toEqual([44, 0])
})

test('threat 26: all addresses of one IPv6 network count as one, those of IPv4 each for itself', () => {
  const strangers = new Strangers()
  const other = crowd(strangers, 256, (i) => `2001:db8:0:2::${i.toString(16)}`)
  const mapped = crowd(strangers, 512, (i) => `::ffff:192.0.2.${i % 250}`)
  const flood = crowd(strangers, 300, (i) => `2001:db8:0:1:${i.toString(16)}::1`)
  expect([ended(flood), ended(other), ended(mapped)]).toEqual([44, 0, 0])
  expect(flood.slice(0, 44).every((one) => one.ended)).toBe(true)
})

test('threat 26: strangers of many addresses, or behind a proxy here, are bounded together', () => {
  const spread = crowd(new Strangers(), 5000, (i) => `192.0.2.${i % 250}`)
  expect(ended(spread)).toBe(5000 - 4096)
  for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '::1']) {
    expect(ended(crowd(new Strangers(), 4096, () => address))).toBe(0)
    expect(ended(crowd(new Strangers(), 4100, () => address))).toBe(4)
  }
})

test('who proved to be in the network, or left, takes no room', () => {
  const strangers = new Strangers()
  const first = crowd(strangers, 256, () => '192.0.2.1')
  for (const connection of first) strangers.delete(connection)
  const second = crowd(strangers, 256, () => '192.0.2.1')
  expect(ended([...first, ...second])).toBe(0)
})
