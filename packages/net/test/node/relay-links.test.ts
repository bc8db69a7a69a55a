// The relay connections of a node, with a relay that says what the test wants.
import type { DerpConnection } from '@mesh/derp-client/node'
import { expect, test } from 'vitest'
import { RelayLinks } from '../../src/node/relay-links.ts'

type Event = Parameters<Parameters<DerpConnection['onEvent']>[0]>[0]

const REGION = { RegionID: 1, RegionCode: 'one', RegionName: 'One', Nodes: [] }

test('magicsock hears that a relay is there when it connects and when it keeps the connection alive', () => {
  let say: (event: Event) => void = () => {}
  const told: string[] = []
  const connection = {
    region: 1,
    connected: true,
    onPacket: () => () => {},
    onPeerGone: () => () => {},
    onEvent: (take: (event: Event) => void) => {
      say = take
      return () => {}
    },
    close: () => {},
  } as Partial<DerpConnection> as DerpConnection
  const links = new RelayLinks(
    { privateKey: new Uint8Array(32) },
    () => told.push('trouble'),
    () => connection,
  )
  links.update({ Regions: { 1: REGION } })
  links.connect(1, {
    onPacket: () => told.push('packet'),
    onPeerGone: () => told.push('peer-gone'),
    onAlive: () => told.push('alive'),
    onLost: () => told.push('lost'),
  })
  say({ kind: 'event', event: 'connected', serverKey: new Uint8Array(32) })
  say({ kind: 'event', event: 'keep-alive' })
  say({ kind: 'event', event: 'disconnected', error: new Error('gone') as never, retryIn: 1 })
  expect(told).toEqual(['alive', 'alive', 'lost', 'trouble'])
})
