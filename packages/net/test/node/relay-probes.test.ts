// Which relays are asked what, when there is no UDP.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { DERPRegion } from '@mesh/wire/control'
import { expect, test } from 'vitest'
import { checkCaptivePortal, measureRegion, portalProbes } from '../../src/node/relay-probes.ts'

const region = (...nodes: object[]): DERPRegion => ({
  RegionID: 900,
  RegionCode: 'mesh',
  RegionName: 'Mesh',
  Nodes: nodes.map((node) => ({ Name: 'n', RegionID: 900, HostName: 'relay.example', ...node })),
})

test('D15: a region is as far as its first relay that can be asked; those for STUN only cannot', async () => {
  const server = createServer((_request, response) => response.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const relay = { IPv4: '127.0.0.1', DERPPort: port }
  expect(await measureRegion(region({ STUNOnly: true }, relay), true)).toBeGreaterThan(0)
  server.close()
})

test('nothing is asked of a region without such a relay, or of one whose certificate is pinned', async () => {
  expect(await measureRegion(undefined, false)).toBeUndefined()
  expect(await measureRegion(region({ STUNOnly: true }), false)).toBeUndefined()
  expect(await measureRegion(region({ CertName: `sha256-raw:${'0'.repeat(64)}` }), false)).toBeUndefined()
})

test('a captive portal is looked for at relays that answer on port 80 at an address of the map', async () => {
  const nodes = [{ CanPort80: true, IPv4: '192.0.2.1' }, { IPv4: '192.0.2.2' }, { CanPort80: true }]
  const probes = portalProbes({ Regions: { 900: region(...nodes) } })
  expect(probes).toEqual([{ address: Uint8Array.of(192, 0, 2, 1), hostName: 'relay.example' }])
  expect(await checkCaptivePortal(undefined)).toBeUndefined()
})
