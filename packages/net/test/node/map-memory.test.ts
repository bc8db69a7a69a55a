// What a node remembers of its map between runs: when it is written.
import { formatNodeKey } from '@mesh/keys'
import { applyMapResponse, type NetworkMap } from '@mesh/netmap'
import { expect, test } from 'vitest'
import { MapMemory } from '../../src/node/map-memory.ts'

const OWNER = { controlUrl: 'http://control', nodeKey: new Uint8Array(32).fill(1) }

function mapCalled(name: string): NetworkMap {
  const Node = {
    ID: 1,
    StableID: 'n1',
    Name: `${name}.mesh.test.`,
    User: 1,
    Key: formatNodeKey(OWNER.nodeKey),
    Addresses: ['100.64.0.1/32'],
  }
  const update = applyMapResponse(undefined, { Node, Peers: [] }, { wallNow: 0 })
  if (!update) throw new Error('no map')
  return update.map
}

function makeMemory(trouble: unknown[] = [], write?: () => Promise<void>) {
  let kept: string | undefined
  const cache = {
    read: () => kept,
    write: (text: string | undefined) => {
      kept = text
      return write?.() ?? Promise.resolve()
    },
  }
  return { memory: new MapMemory(cache, (error) => trouble.push(error)), kept: () => kept }
}

test('the first map is written at once, and what comes after it a little later or at the end', async () => {
  const { memory } = makeMemory()
  memory.remember(mapCalled('a'), OWNER)
  await expect.poll(() => memory.recall(OWNER)?.self.name).toBe('a.mesh.test.')
  memory.remember(mapCalled('b'), OWNER)
  memory.remember(mapCalled('c'), OWNER)
  expect(memory.recall(OWNER)?.self.name).toBe('a.mesh.test.')
  await memory.close()
  expect(memory.recall(OWNER)?.self.name).toBe('c.mesh.test.')
})

test('after it was forgotten a map is remembered again, by itself', async () => {
  const { memory, kept } = makeMemory()
  memory.remember(mapCalled('a'), OWNER)
  await memory.forget()
  expect(kept()).toBeUndefined()
  memory.remember(mapCalled('b'), OWNER)
  await expect.poll(() => memory.recall(OWNER)?.self.name).toBe('b.mesh.test.')
})

test('a cache that cannot be written is trouble, and no more than that', async () => {
  const trouble: unknown[] = []
  const { memory } = makeMemory(trouble, () => Promise.reject(new Error('full')))
  memory.remember(mapCalled('a'), OWNER)
  await memory.close()
  expect(trouble).toHaveLength(1)
  await memory.forget()
  expect(trouble.splice(0, 1)).toHaveLength(1)
  expect(trouble).toHaveLength(1)
})
