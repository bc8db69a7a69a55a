import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Field, HpackDecoder } from '../../src/http2/hpack.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const words = (fields: readonly Field[] | undefined): string[] | undefined =>
  fields?.map(([name, value]) => `${name}: ${value}`)

test('reads the requests of RFC 7541 C.3, which are plain', () => {
  const decoder = new HpackDecoder(4096)
  const first = '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d'
  expect(words(decoder.decode(hex(first)))).toEqual([
    ':method: GET',
    ':scheme: http',
    ':path: /',
    ':authority: www.example.com',
  ])
  expect(words(decoder.decode(hex('8286 84be 5808 6e6f 2d63 6163 6865')))?.slice(3)).toEqual([
    ':authority: www.example.com',
    'cache-control: no-cache',
  ])
  const third = '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65'
  expect(words(decoder.decode(hex(third)))).toEqual([
    ':method: GET',
    ':scheme: https',
    ':path: /index.html',
    ':authority: www.example.com',
    'custom-key: custom-value',
  ])
})

test('reads the requests of RFC 7541 C.4, which are packed', () => {
  const decoder = new HpackDecoder(4096)
  expect(words(decoder.decode(hex('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff')))?.at(-1)).toBe(
    ':authority: www.example.com',
  )
  expect(words(decoder.decode(hex('8286 84be 5886 a8eb 1064 9cbf')))?.at(-1)).toBe('cache-control: no-cache')
  const third = '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf'
  expect(words(decoder.decode(hex(third)))?.at(-1)).toBe('custom-key: custom-value')
})

test('reads the answers of RFC 7541 C.6, whose table of 256 bytes forgets', () => {
  const decoder = new HpackDecoder(4096)
  const first =
    '3fe1 01 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d ' +
    '29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3'
  const date = 'date: Mon, 21 Oct 2013 20:13:21 GMT'
  const location = 'location: https://www.example.com'
  expect(words(decoder.decode(hex(first)))).toEqual([
    ':status: 302',
    'cache-control: private',
    date,
    location,
  ])
  expect(words(decoder.decode(hex('4883 640e ffc1 c0bf')))).toEqual([
    ':status: 307',
    'cache-control: private',
    date,
    location,
  ])
  // `:status 302` made room for `:status 307`.
  expect(decoder.decode(hex('c2'))).toBeUndefined()
})

test.each([
  ['an index of nothing', '80'],
  ['an index beyond the table', 'be'],
  ['a number that does not end', 'ffffffffffffff'],
  ['a text longer than the block', '0085aa'],
  ['a table larger than the limit', '3fe21f'],
  ['a new size in the middle', '8220'],
  ['padding that is no ones', '00 81 18 00'],
  ['a whole byte of padding', '00 82 1fff 00'],
  ['the word that ends', '00 84 ffff fffc 00'],
])('refuses %s', (_, block) => {
  expect(new HpackDecoder(4096).decode(hex(block))).toBeUndefined()
})

test('refuses more fields than it may hold, however short they are on the wire', () => {
  const decoder = new HpackDecoder(1000)
  expect(decoder.decode(new Uint8Array(20).fill(0x82))).toHaveLength(20)
  expect(decoder.decode(new Uint8Array(30).fill(0x82))).toBeUndefined()
})

test('never throws, whatever the block', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), (blocks) => {
      const decoder = new HpackDecoder(4096)
      for (const block of blocks) decoder.decode(block)
    }),
  )
})
