import { expect, test } from 'vitest'
import {
  batchOf,
  createTunPair,
  decodePcap,
  encodePcapHeader,
  encodePcapRecord,
  LINKTYPE_RAW,
  tapToPcap,
} from '../src/index.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('the file header is magic, version 2.4, two zero words, snap length and link type 101', () => {
  expect(hex(encodePcapHeader(65_535))).toBe(
    ['d4c3b2a1', '0200', '0400', '00000000', '00000000', 'ffff0000', '65000000'].join(''),
  )
})

test('a record is seconds, microseconds, kept length, original length, then the bytes kept', () => {
  const record = encodePcapRecord(1_700_000_000_123.456, Uint8Array.of(0x45, 1, 2, 3, 4), 3)
  expect(hex(record)).toBe(['00f15365', '40e20100', '03000000', '05000000', '450102'].join(''))
})

test('a tapped device passes both directions unchanged and writes them to the stream', async () => {
  const [left, right] = createTunPair()
  const stream: Uint8Array[] = []
  const tapped = tapToPcap(left, { wallTime: () => 5_000, write: (bytes) => stream.push(bytes) })
  const seen: string[] = []
  tapped.onPackets((batch) => seen.push(hex(batch.bytes)))
  right.onPackets((batch) => seen.push(hex(batch.bytes)))
  tapped.write(batchOf([Uint8Array.of(0x45, 1)]))
  right.write(batchOf([Uint8Array.of(0x45, 2)]))
  await tapped.close()
  expect(seen).toEqual(['4501', '4502'])
  const file = decodePcap(Buffer.concat(stream))
  expect(file?.linkType).toBe(LINKTYPE_RAW)
  expect(file?.records.map(({ time, packet }) => [time, hex(packet)])).toEqual([
    [5_000, '4501'],
    [5_000, '4502'],
  ])
  expect(await tapped.closed).toBeUndefined()
})
