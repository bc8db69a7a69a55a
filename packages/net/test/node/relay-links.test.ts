// The relay connections of a node, with a relay that says what the test wants.
import type { DerpConnection } from '@mesh/derp-client/node'
import { expect, test } from 'vitest'
import { RelayLinks } from '../../src/node/relay-links.ts'

type Event = Parameters<Parameters<DerpConnection['onEvent']>[0]>[0]

const REGION = { RegionID: 1, RegionCode: 'one', RegionName: 'One', Nodes: [] }

/** A connection that does nothing. */
function silent(connected: boolean, more: Partial<DerpConnection> = {}): DerpConnection {
  const quiet = { onPacket: () => () => {}, onPeerGone: () => () => {}, onEvent: () => () => {} }
  return {
    region: 1,
    connected,
    ...quiet,
    close: () => {},
    ...more,
  } as Partial<DerpConnection> as DerpConnection
}

test.each([
  ['an address is lost', true, true],
  ['an address has come, and the connection is being tried', false, false],
])('a connection is made anew when %s', (_when, isLost, connected) => {
  const told: string[] = []
  const links = new RelayLinks(
    { privateKey: new Uint8Array(32) },
    () => {},
    () => {
      told.push('connect')
      return silent(connected, { close: () => told.push('close') })
    },
  )
  links.update({ Regions: { 1: REGION } })
  const handlers = { onPacket: () => {}, onPeerGone: () => {}, onAlive: () => {} }
  links.connect(1, { ...handlers, onLost: () => told.push('lost') })
  links.renew(isLost)
  expect(told).toEqual(['connect', 'close', 'lost', 'connect'])
})

test('a connection that stands is left alone when an address has come', () => {
  let connections = 0
  const links = new RelayLinks(
    { privateKey: new Uint8Array(32) },
    () => {},
    () => silent(true, { close: () => void (connections -= 1) }),
  )
  links.update({ Regions: { 1: REGION } })
  links.connect(1, { onPacket: () => {}, onPeerGone: () => {}, onAlive: () => {}, onLost: () => {} })
  links.renew(false)
  expect(connections).toBe(0)
})

test('magicsock hears that a relay is there when it connects and when it keeps the connection alive', () => {
  let say: (event: Event) => void = () => {}
  const told: string[] = []
  const connection = silent(true, {
    onEvent: (take) => {
      say = take
      return () => {}
    },
  })
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
