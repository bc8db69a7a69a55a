import { isIP } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  addressesEqual,
  endpointsEqual,
  formatAddress,
  formatEndpoint,
  formatPrefix,
  hostPrefix,
  isIpv4,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isPrivate,
  isUnspecified,
  maskPrefix,
  parseAddress,
  parseEndpoint,
  parsePrefix,
  prefixContains,
  prefixesEqual,
  unmapAddress,
  writeMappedAddress,
} from '../src/ip/index.ts'
import { address, counting, endpoint, hex, toHex } from './support.ts'

test.each([
  ['0.0.0.0', '00000000'],
  ['100.64.0.1', '64400001'],
  ['255.255.255.255', 'ffffffff'],
  ['::', '00000000000000000000000000000000'],
  ['::1', '00000000000000000000000000000001'],
  ['fd7a:115c:a1e0::1', 'fd7a115ca1e000000000000000000001'],
  ['2001:DB8:0:0:1:0:0:1', '20010db8000000000001000000000001'],
  ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
  ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
  ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
  ['1:2:3:4:5:6:192.0.2.33', '000100020003000400050006c0000221'],
  ['::ffff:192.0.2.33', 'c0000221'],
  ['::ffff:c000:221', 'c0000221'],
  ['0:0:0:0:0:ffff:192.0.2.33', 'c0000221'],
])('%s is %s', (text, bytes) => {
  expect(toHex(parseAddress(text))).toBe(bytes)
})

test.each([
  ['nothing', ''],
  ['one number', '1'],
  ['a leading zero', '010.0.0.1'],
  ['two zeros', '00.0.0.1'],
  ['hexadecimal', '0x7f.0.0.1'],
  ['three parts', '1.2.3'],
  ['five parts', '1.2.3.4.5'],
  ['a part too large', '256.1.1.1'],
  ['a sign', '+1.2.3.4'],
  ['a space', ' 1.2.3.4'],
  ['a line break', '1.2.3.4\n'],
  ['other digits', '١.٢.٣.٤'],
  ['a port', '1.2.3.4:5'],
  ['a zone', 'fe80::1%eth0'],
  ['brackets', '[::1]'],
  ['a group of five digits', '00001::'],
  ['nine groups', '1:2:3:4:5:6:7:8:9'],
  ['seven groups', '1:2:3:4:5:6:7'],
  ['a double colon for nothing', '1:2:3:4:5:6:7::8'],
  ['two double colons', '1::2::3'],
  ['three colons', ':::'],
  ['a colon in front', ':1:2:3:4:5:6:7'],
  ['a colon behind', '1:2:3:4:5:6:7:'],
  ['IPv4 in the middle', '1.2.3.4::'],
  ['an IPv4 tail too far', '1:2:3:4:5:6:7:1.2.3.4'],
  ['an IPv4 tail with a leading zero', '::ffff:01.2.3.4'],
  ['a name', 'localhost'],
  ['a very long text', '0'.repeat(100_000)],
  ['very many colons', ':'.repeat(100_000)],
])('%s is no address', (_, text) => {
  expect(parseAddress(text)).toBeUndefined()
})

test.each([
  ['20010db8000000000000000000000001', '2001:db8::1'],
  ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'], // RFC 5952 4.2.3: the first of equal runs
  ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'], // 4.2.2: one group alone is not shortened
  ['00010000000000000000000000000000', '1::'],
  ['00000000000000000000000000000000', '::'],
  ['0001000000000001000000000000000a', '1:0:0:1::a'], // 4.2.3: the longest run
  ['00000000000000000000ffffc0000221', '192.0.2.33'],
])('%s is written %s', (bytes, text) => {
  expect(formatAddress(hex(bytes))).toBe(text)
})

test('every address comes back from its text, which is one that others read too', () => {
  fc.assert(
    fc.property(address, (a) => {
      expect(parseAddress(formatAddress(a))).toEqual(a)
      expect(isIP(formatAddress(a))).toBe(a.length === 4 ? 4 : 6)
    }),
  )
})

test('what is read as an address, others read as one too', () => {
  const text = fc.array(fc.constantFrom('0', '1', 'f', '255', ':', '::', '.', 'ffff'), { maxLength: 20 })
  fc.assert(
    fc.property(text, (parts) => {
      const joined = parts.join('')
      expect(parseAddress(joined) !== undefined).toBe(isIP(joined) !== 0)
    }),
    { numRuns: 5000 },
  )
})

test('an IPv4 address in IPv6 clothes is folded to its four bytes, and dressed again on demand', () => {
  const mapped = new Uint8Array(18)
  writeMappedAddress(mapped, 1, hex('c0000221'))
  expect(mapped).toEqual(hex('00 00000000000000000000ffff c0000221 00'))
  expect(unmapAddress(mapped.subarray(1, 17))).toEqual(hex('c0000221'))
  expect(unmapAddress(hex('00000000000000000001ffffc0000221')).length).toBe(16)
  expect(() => writeMappedAddress(mapped, 0, counting(5))).toThrow('address has 5 bytes')
  expect(() => formatAddress(counting(5))).toThrow('address has 5 bytes')
})

test.each([
  [isUnspecified, ['0.0.0.0', '::'], ['0.0.0.1', '::1']],
  [isLoopback, ['127.0.0.1', '127.9.9.9', '::1'], ['128.0.0.1', '::2', '1::1', '::']],
  [isLinkLocal, ['169.254.1.1', 'fe80::1', 'febf::'], ['169.253.1.1', 'fec0::', 'fd00::']],
  [isMulticast, ['224.0.0.1', '239.255.255.255', 'ff02::1'], ['223.255.255.255', '240.0.0.0', 'fe80::1']],
  [
    isPrivate,
    ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', 'fc00::', 'fd7a:115c:a1e0::1'],
    ['11.0.0.1', '172.32.0.1', '172.15.0.1', '192.169.0.1', 'fe80::'],
  ],
  [isIpv4, ['1.2.3.4', '::ffff:1.2.3.4'], ['::1']],
])('%o knows its own', (is, yes, no) => {
  expect(yes.map((text) => is(parseAddress(text)!))).toEqual(yes.map(() => true))
  expect(no.map((text) => is(parseAddress(text)!))).toEqual(no.map(() => false))
})

test.each([
  ['10.0.0.0/8', '10.0.0.0/8'],
  ['10.1.2.3/8', '10.1.2.3/8'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['FD7A:115C:A1E0::/48', 'fd7a:115c:a1e0::/48'],
  ['::/0', '::/0'],
  ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
])('prefix %s is written %s', (text, written) => {
  expect(formatPrefix(parsePrefix(text)!)).toBe(written)
})

test.each([
  '10.0.0.0',
  '10.0.0.0/',
  '/8',
  '10.0.0.0/33',
  '::/129',
  '10.0.0.0/08',
  '10.0.0.0/+8',
  '10.0.0.0/8/8',
  '::ffff:10.0.0.0/95',
  '10.0.0/8',
  '10.0.0.0/8 ',
])('%s is no prefix', (text) => {
  expect(parsePrefix(text)).toBeUndefined()
})

test('a prefix contains what shares its first bits, of its own family', () => {
  const contains = (prefix: string, text: string): boolean =>
    prefixContains(parsePrefix(prefix)!, parseAddress(text)!)
  expect(['100.64.0.0', '100.127.255.255'].map((t) => contains('100.64.0.0/10', t))).toEqual([true, true])
  expect(['100.63.255.255', '100.128.0.0', '::'].map((t) => contains('100.64.0.0/10', t))).toEqual([
    false,
    false,
    false,
  ])
  expect(contains('0.0.0.0/0', '255.1.1.1')).toBe(true)
  expect(contains('::/0', '255.1.1.1')).toBe(false)
  expect([contains('1.2.3.4/32', '1.2.3.4'), contains('1.2.3.4/32', '1.2.3.5')]).toEqual([true, false])
  expect([contains('fd7a::/127', 'fd7a::1'), contains('fd7a::/127', 'fd7a::2')]).toEqual([true, false])
})

test('an address is in a prefix exactly when both have the same masked form', () => {
  const pair = fc.tuple(address, fc.nat(128), fc.nat(127)).map(([a, bits, flip]) => {
    const other = a.slice()
    const bit = flip % (a.length * 8)
    other[bit >> 3]! ^= 0x80 >> (bit & 7)
    return { a, other, bit, bits: bits % (a.length * 8 + 1) }
  })
  fc.assert(
    fc.property(pair, ({ a, other, bit, bits }) => {
      const prefix = { address: a, bits }
      expect(prefixContains(prefix, other)).toBe(bit >= bits)
      expect(prefixContains(maskPrefix(prefix), a)).toBe(true)
      expect(prefixesEqual(maskPrefix(prefix), maskPrefix({ address: other, bits }))).toBe(bit >= bits)
      expect(parsePrefix(formatPrefix(prefix))).toEqual(prefix)
    }),
  )
})

test('masking keeps the range and clears the rest, in bytes of its own', () => {
  const prefix = parsePrefix('10.255.3.4/9')!
  expect(formatPrefix(maskPrefix(prefix))).toBe('10.128.0.0/9')
  expect(formatPrefix(prefix)).toBe('10.255.3.4/9')
  expect(formatPrefix(hostPrefix(parseAddress('::1')!))).toBe('::1/128')
})

test('endpoints come back from their text', () => {
  fc.assert(
    fc.property(endpoint, (e) => {
      const read = parseEndpoint(formatEndpoint(e))!
      expect(read).toEqual(e)
      expect(endpointsEqual(read, e)).toBe(true)
      expect(endpointsEqual(read, { ...e, port: (e.port + 1) & 0xffff })).toBe(false)
    }),
  )
  expect(formatEndpoint(parseEndpoint('[2001:db8::1]:80')!)).toBe('[2001:db8::1]:80')
  expect(formatEndpoint(parseEndpoint('[::ffff:1.2.3.4]:80')!)).toBe('1.2.3.4:80')
})

test.each([
  '',
  '1.2.3.4',
  '1.2.3.4:',
  '1.2.3.4:65536',
  '1.2.3.4:080',
  '1.2.3.4:-1',
  '::1:80',
  '[::1]',
  '[::1]80',
  '[1.2.3.4]:80',
  '[::1:80',
  'host:80',
  '[fe80::1%1]:80',
])('%s is no endpoint', (text) => {
  expect(parseEndpoint(text)).toBeUndefined()
})

test('addresses of different families are never equal', () => {
  expect(addressesEqual(hex('00000000'), new Uint8Array(16))).toBe(false)
  expect(addressesEqual(hex('01020304'), hex('01020304'))).toBe(true)
})
