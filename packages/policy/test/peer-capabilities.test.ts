import { parseAddress } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { capabilitiesBetween } from '../src/index.ts'

const [CLIENT, SERVER, OTHER] = ['100.64.0.1', '100.64.0.2', '100.64.0.3'].map(
  (text) => parseAddress(text)!,
) as [Uint8Array, Uint8Array, Uint8Array]
const RULES = [
  {
    SrcIPs: ['100.64.0.1'],
    CapGrant: [{ Dsts: ['100.64.0.2/32'], CapMap: { 'tailscale.com/cap/relay': null } }],
  },
  { SrcIPs: ['*'], CapGrant: [{ Dsts: ['100.64.0.2/32'], Caps: ['old-form'] }] },
  { SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65_535 } }] },
]

test('capabilities go from the sources of a rule to its destinations, and nowhere else', () => {
  const relay = 'tailscale.com/cap/relay'
  expect(capabilitiesBetween(RULES, CLIENT, SERVER)).toEqual(new Set([relay, 'old-form']))
  expect(capabilitiesBetween(RULES, OTHER, SERVER)).toEqual(new Set(['old-form']))
  expect(capabilitiesBetween(RULES, CLIENT, OTHER)).toEqual(new Set())
})
