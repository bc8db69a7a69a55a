// Pings of peers, over a data side that answers when it is told to.
import { applyMapResponse, type NetworkMap } from '@mesh/netmap'
import { expect, test } from 'vitest'
import type { DataSide } from '../../src/node/data-side.ts'
import { pingPeer } from '../../src/node/peer-questions.ts'
import { PeerTable } from '../../src/peer-table.ts'
import { node } from '../map-node.ts'

const update = applyMapResponse(
  undefined,
  { Node: node(1), Peers: [node(2)], Domain: 'mesh.test' },
  { wallNow: 0 },
)
const { map } = update as { map: NetworkMap }
const peers = new PeerTable()
peers.update(map)

const never = new Promise<never>(() => undefined)
const silent = { pingPath: () => never } as unknown as DataSide
const quick = { pingPath: () => Promise.resolve({ LatencySeconds: 0.001 }) } as unknown as DataSide
const knowledge = { map, peers, userspace: undefined }

test('a ping of any kind waits no longer than it is told to', async () => {
  const answer = await pingPeer('host2', { timeoutMs: 10 }, { ...knowledge, data: silent })
  expect(answer).toMatchObject({ NodeName: 'host2', NodeIP: '100.64.0.2', Err: 'timed out' })
  expect(await pingPeer('100.64.0.2', {}, { ...knowledge, data: quick })).toMatchObject({
    Err: '',
    LatencySeconds: 0.001,
  })
})

test('a ping of this machine, and one of nobody, ask nothing', async () => {
  expect(await pingPeer('host1', {}, { ...knowledge, data: silent })).toMatchObject({ IsLocalIP: true })
  await expect(pingPeer('host9', {}, { ...knowledge, data: silent })).rejects.toMatchObject({
    code: 'ERR_NO_PEER',
  })
})
