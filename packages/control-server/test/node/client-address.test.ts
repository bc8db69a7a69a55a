import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { clientAddress } from '../../src/node/client-address.ts'

const from = (remoteAddress: string, forwarded?: string): IncomingMessage =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage

test.each([
  ['127.0.0.1', undefined, '127.0.0.1'],
  ['127.0.0.1', '198.51.100.7', '198.51.100.7'],
  ['::ffff:127.0.0.1', '198.51.100.7', '198.51.100.7'],
  ['10.0.0.5', '203.0.113.9, 198.51.100.7', '198.51.100.7'],
  ['10.0.0.5', '203.0.113.9, 198.51.100.7, 10.0.0.6', '198.51.100.7'],
  ['10.0.0.5', '2001:db8::1', '2001:db8::1'],
  ['10.0.0.5', '[2001:db8::1]:443', '2001:db8::1'],
  ['10.0.0.5', 'unknown, \u001b[2J', '10.0.0.5'],
  ['10.0.0.5', '', '10.0.0.5'],
  ['192.0.2.1', '198.51.100.7', '192.0.2.1'],
])('threat 26: from %s, forwarded for %j, is from %s', (remote, forwarded, expected) => {
  expect(clientAddress(['127.0.0.1', '10.0.0.0/24'])(from(remote, forwarded))).toBe(expected)
})

test('threat 26: nobody is believed who was not named, and a name is no proxy', () => {
  expect(clientAddress()(from('127.0.0.1', '198.51.100.7'))).toBe('127.0.0.1')
  expect(() => clientAddress(['proxy.example'])).toThrow(
    '"proxy.example" is no address and no prefix of a proxy.',
  )
})
