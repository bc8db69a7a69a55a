import { applyMapResponse, type NetworkMap } from '@mesh/netmap'
import type { Node } from '@mesh/wire/control'
import { describe, expect, test } from 'vitest'
import { decodeMap, encodeMap } from '../src/index.ts'
import { node } from './map-node.ts'

const NOW = Date.UTC(2026, 10, 1)
const PLACED: Partial<Node> = { Endpoints: ['192.0.2.1:1'], HomeDERP: 900 }
const OWNER = { controlUrl: 'http://control', nodeKey: new Uint8Array(32).fill(1) }

function mapOf(peer: Partial<Node> = {}): NetworkMap {
  const region = { RegionID: 900, RegionCode: 'mesh', RegionName: 'Mesh', Nodes: [] }
  const update = applyMapResponse(
    undefined,
    {
      Node: node(1, PLACED),
      Peers: [node(2, { ...PLACED, ...peer })],
      DERPMap: { Regions: { 900: region } },
      DNSConfig: { Proxied: true },
      Domain: 'mesh.test',
      PacketFilters: { a: [{ SrcIPs: ['*'], DstPorts: [] }], b: [] },
      UserProfiles: [{ ID: 1, LoginName: 'ann', DisplayName: 'Ann' }],
    },
    { wallNow: NOW },
  )
  if (!update) throw new Error('no map')
  return update.map
}

describe('the last map', () => {
  test('comes back as it was, with nobody online', () => {
    const map = mapOf({ Online: true })
    const back = decodeMap(encodeMap(map, OWNER), OWNER, NOW)!
    expect(back.peers[0]?.online).toBeUndefined()
    expect(back).toEqual(mapOf())
  })

  test('threat 19: a key that has ended meanwhile has ended', () => {
    const map = mapOf({ KeyExpiry: new Date(NOW + 1000).toISOString() })
    const text = encodeMap(map, OWNER)
    expect([NOW, NOW + 2000].map((at) => decodeMap(text, OWNER, at)?.peers[0]?.expired)).toEqual([
      false,
      true,
    ])
  })

  test("is nobody else's: not another login's, nor for another control server", () => {
    const text = encodeMap(mapOf(), OWNER)
    expect(decodeMap(text, { ...OWNER, controlUrl: 'http://other' }, NOW)).toBeUndefined()
    expect(decodeMap(text, { ...OWNER, nodeKey: new Uint8Array(32) }, NOW)).toBeUndefined()
  })

  test('is none when the text is damaged', () => {
    const text = encodeMap(mapOf(), OWNER)
    for (const damaged of ['', 'null', '7', '{}', text.slice(0, -9), text.replace('"Node"', '"Nod"')])
      expect(decodeMap(damaged, OWNER, NOW)).toBeUndefined()
    for (const [from, to] of [
      [/"Name":"[^"]*"/, '"Name":7'],
      [/"Proxied":true/, '"Routes":[1]'],
      [/"HomeDERP":900/, '"HomeDERP":"x"'],
      [/"clockOffset":0/, '"clockOffset":null'],
    ] as const) {
      expect(text).toMatch(from)
      expect(decodeMap(text.replace(from, to), OWNER, NOW)).toBeUndefined()
    }
  })
})
