// A verdict on a path in the words of the status.
import type { PathExplanation } from '@mesh/magicsock'
import { parseEndpoint } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { describePath, wayOf } from '../src/describe-path.ts'

const PEER = parseEndpoint('203.0.113.2:7777')!
const OWNER = { name: 'b', address: '100.64.0.2' }
const MAP = { Regions: { 7: { RegionID: 7, RegionCode: 'mesh', RegionName: 'Mesh', Nodes: [] } } }

const RELAYED: PathExplanation = {
  peer: 2,
  path: { kind: 'relay', region: 7 },
  causes: [{ code: 'our-nat-varies', certainty: 'likely', text: 'Our NAT varies.' }],
  remedies: [{ code: 'peer-relay', text: 'Run a peer relay.' }],
  ledger: [{ event: 'ping-sent', place: PEER, times: 2, firstAt: 0, lastAt: 4_000 }],
}

test('says why, what would help, and what was seen, with the names of regions', () => {
  expect(describePath(RELAYED, OWNER, MAP, 5_000)).toMatchObject({
    NodeName: 'b',
    Path: { Kind: 'relay', DERPRegionCode: 'mesh' },
    Causes: [{ Code: 'our-nat-varies', Certainty: 'likely' }],
    Remedies: [{ Code: 'peer-relay' }],
    Seen: [{ Event: 'ping-sent', Place: '203.0.113.2:7777', Times: 2, SecondsAgo: 1 }],
  })
  expect(describePath(RELAYED, OWNER, undefined, 5_000).Path.DERPRegionCode).toBe('7')
})

test('says how large the packets are that have passed, where that is known', () => {
  expect(describePath(RELAYED, OWNER, MAP, 5_000)).not.toHaveProperty('MTU')
  expect(describePath({ ...RELAYED, mtu: 1_500 }, OWNER, MAP, 5_000).MTU).toBe(1_500)
})

test('says how long the path lives unused, where that is known', () => {
  expect(describePath(RELAYED, OWNER, MAP, 5_000).UDPLifetime).toBeUndefined()
  const lived = { ...RELAYED, lifetime: { path: PEER, atLeast: 30_000, lessThan: 60_000 } }
  expect(describePath(lived, OWNER, MAP, 5_000).UDPLifetime).toEqual({
    Endpoint: '203.0.113.2:7777',
    AtLeastSeconds: 30,
    LessThanSeconds: 60,
  })
})

test('has a few words for the log', () => {
  expect(wayOf(RELAYED.path)).toBe('relay')
  expect(wayOf({ kind: 'direct', endpoint: PEER, latency: 1 })).toBe('203.0.113.2:7777')
  expect(wayOf({ kind: 'peer-relay', endpoint: PEER, vni: 3, latency: 1 })).toMatch(/^peer-relay 203/)
})
