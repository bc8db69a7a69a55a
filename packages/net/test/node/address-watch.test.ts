// News of addresses, as the kernel writes them.
import { formatAddress } from '@mesh/wire/ip'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readAddressChanges } from '../../src/node/address-watch.ts'

/** What `ip address add` and `del` of 10.0.0.9/24 and fd00::9/64 make of it, taken from a socket of the group. */
const attribute = (type: number, value: readonly number[]): number[] => [
  ...[value.length + 4, 0, type, 0],
  ...value,
  ...Array.from({ length: -value.length & 3 }, () => 0),
]
const message = (type: number, ...attributes: readonly number[][]): number[] => {
  const body = [2, 24, 128, 0, 2, 0, 0, 0, ...attributes.flat()]
  return [16 + body.length, 0, 0, 0, type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...body]
}
const V4 = [10, 0, 0, 9]
const V6 = [0xfd, ...Array.from({ length: 14 }, () => 0), 9]
const LABEL = attribute(3, [101, 116, 104, 48, 0])

test('addresses that came and went are read in order, whatever stands between them', () => {
  const bytes = [
    ...message(20, attribute(1, V4), attribute(2, V4), LABEL),
    ...message(16, LABEL),
    ...message(21, LABEL, attribute(1, V6)),
  ]
  const changes = readAddressChanges(Uint8Array.from(bytes))
  expect(changes.map(({ address, isLost }) => [formatAddress(address), isLost])).toEqual([
    ['10.0.0.9', false],
    ['fd00::9', true],
  ])
})

test('of a link with two ends the near one counts', () => {
  const [change] = readAddressChanges(
    Uint8Array.from(message(20, attribute(1, [10, 0, 0, 1]), attribute(2, V4))),
  )
  expect(change && formatAddress(change.address)).toBe('10.0.0.9')
})

test('bytes that are cut, or no news at all, do no harm', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(120), (noise, cut) => {
      readAddressChanges(noise)
      const whole = Uint8Array.from(message(20, attribute(1, V4), LABEL))
      expect(readAddressChanges(whole.subarray(0, Math.min(cut, whole.length - 1)))).toEqual([])
    }),
  )
})
