// Finding nodes in the map.
import { expect, test } from 'vitest'
import { parseAddress } from '@mesh/wire/ip'
import { displayName, magicDnsSuffix, nodeByAddress, nodeByName, peerById } from '../src/index.ts'
import { peer, snapshot } from './support.ts'

const map = snapshot({ Peers: [peer(8), peer(9, { Name: 'Shared.other.example.' })] })

test('a node is found by its whole name, with and without the dot, in any capitals', () => {
  for (const name of ['box8.mesh.example.', 'box8.mesh.example', 'BOX8.Mesh.Example', 'box8']) {
    expect(nodeByName(map, name)?.id).toBe(8)
  }
  expect(nodeByName(map, 'box7')?.id).toBe(7)
})

test('a node of another network is not found by the first part of its name', () => {
  expect(nodeByName(map, 'shared.other.example')?.id).toBe(9)
  expect(nodeByName(map, 'shared')).toBeUndefined()
})

test('threat 34: names of methods are nobody', () => {
  for (const name of ['', '.', 'constructor', '__proto__', 'toString'])
    expect(nodeByName(map, name)).toBeUndefined()
})

test('a node is found by exactly its own addresses', () => {
  expect(nodeByAddress(map, parseAddress('100.64.0.8')!)?.id).toBe(8)
  expect(nodeByAddress(map, parseAddress('fd7a:115c:a1e0::9')!)?.id).toBe(9)
  expect(nodeByAddress(map, parseAddress('100.64.0.7')!)?.id).toBe(7)
  expect(nodeByAddress(map, parseAddress('100.64.0.10')!)).toBeUndefined()
})

test('a peer is found by number, this node is none', () => {
  expect(peerById(map, 9)?.stableId).toBe('n9')
  expect(peerById(map, 7)).toBeUndefined()
  expect(peerById(map, 100)).toBeUndefined()
})

test("the suffix is what follows the first part of this node's name", () => {
  expect(magicDnsSuffix(map)).toBe('mesh.example')
  expect(magicDnsSuffix(snapshot({ Node: peer(7, { Name: 'alone' }) }))).toBe('')
})

test('names are short at home and whole elsewhere', () => {
  expect(map.peers.map((node) => displayName(map, node))).toEqual(['box8', 'Shared.other.example'])
})
