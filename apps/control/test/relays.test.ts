import { relayMap } from '@mesh/control-server'
import { InvalidArgumentError } from 'commander'
import { expect, test } from 'vitest'
import { parseDuration } from '../src/durations.ts'
import { readRelay } from '../src/relay-flag.ts'

test.each([
  ['https://relay.example', { host: 'relay.example', port: 443, stunPort: 3478 }],
  ['https://relay.example:8443,stun=off', { host: 'relay.example', port: 8443, stunPort: -1 }],
  ['http://127.0.0.1:3340,stun=3479', { host: '127.0.0.1', port: 3340, stunPort: 3479, insecure: true }],
  ['https://[::1],insecure', { host: '::1', port: 443, stunPort: 3478, insecure: true }],
])('--relay %s', (text, entry) => {
  expect(readRelay(text)).toEqual(entry)
})

test('relays become regions from 900, named by address without a lookup', () => {
  const map = relayMap(['http://127.0.0.1:3340', 'https://relay.example'].map(readRelay))
  expect(map.Regions?.['900']?.Nodes).toEqual([
    {
      Name: '900a',
      RegionID: 900,
      HostName: '127.0.0.1',
      IPv4: '127.0.0.1',
      IPv6: 'none',
      DERPPort: 3340,
      STUNPort: 3478,
      InsecureForTests: true,
    },
  ])
  expect(map.Regions?.['901']?.Nodes[0]).not.toHaveProperty('IPv4')
})

test.each([
  ['90s', 90_000],
  ['1h30m', 5_400_000],
  ['2w', 1_209_600_000],
  ['0', 0],
])('%s is %d milliseconds', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds)
})

test.each(['', '5', '1y', '-1h', '1.5h', 'h'])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(InvalidArgumentError)
})
