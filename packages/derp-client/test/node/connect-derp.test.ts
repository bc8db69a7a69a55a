// The connection on real sockets, against a relay of frames. TLS and pins are tried in apps/relay, where there is
// a relay that has them.
import { expect, test } from 'vitest'
import type { DerpError } from '../../src/index.ts'
import { connectDerp, type DerpConnectionOptions } from '../../src/node/index.ts'
import { candidatesOf, IPV4_DELAY } from '../../src/node/race.ts'
import { CLIENT_PRIVATE_KEY } from '../support.ts'
import { fakeRelay, freePort, nextEvent } from './support.ts'

const TO = new Uint8Array(32).fill(9)

function plainRegion(...ports: number[]): DerpConnectionOptions['region'] {
  const Nodes = ports.map((DERPPort, i) => ({ Name: `1${'abc'[i]}`, HostName: '127.0.0.1', DERPPort }))
  return { RegionID: 1, Nodes }
}

function connectPlain(region: DerpConnectionOptions['region']): ReturnType<typeof connectDerp> {
  return connectDerp({ region, privateKey: CLIENT_PRIVATE_KEY, plain: true })
}

test('C1: logs in, sends, receives, and answers nothing that is not asked', async () => {
  await using relay = await fakeRelay()
  const connection = connectPlain(plainRegion(relay.port))
  const packets: number[][] = []
  const received = new Promise<void>((resolve) => {
    connection.onPacket((_source, packet) => {
      packets.push([...packet])
      if (packets.length === 3) resolve()
    })
  })
  // These wait for the login.
  for (const mark of [1, 2, 3]) connection.send(TO, Uint8Array.of(mark))
  await received
  expect(packets).toEqual([[1], [2], [3]])
  expect(connection.connected).toBe(true)
  expect(connection.stats).toMatchObject({ sent: 3, received: 3, connects: 1 })
  expect(relay.requests[0]?.headers).toMatchObject({ upgrade: 'DERP', connection: 'Upgrade' })
  expect(relay.requests[0]?.headers).not.toHaveProperty('ideal-node')
  connection.close()
  connection.close()
  expect(connection.connected).toBe(false)
})

test('C4: nodes are tried in order, STUNOnly left out, and the second one is told which would be better', async () => {
  await using relay = await fakeRelay()
  const region = plainRegion(await freePort(), relay.port)
  const Nodes = [{ Name: '1s', HostName: '127.0.0.1', STUNOnly: true }, ...(region.Nodes ?? [])]
  const connection = connectPlain({ ...region, Nodes })
  await nextEvent(connection, 'connected')
  expect(relay.requests[0]?.headers['ideal-node']).toBe('1s')
  connection.close()
})

test('C5: comes back by itself when the relay hangs up', async () => {
  await using relay = await fakeRelay()
  const connection = connectPlain(plainRegion(relay.port))
  await nextEvent(connection, 'connected')
  const lost = nextEvent(connection, 'disconnected')
  const back = nextEvent(connection, 'connected')
  relay.hangUp()
  expect(await lost).toMatchObject({ error: { code: 'ERR_DERP_CLOSED' } })
  await back
  expect(connection.stats.connects).toBe(2)
  connection.close()
})

async function firstError(options: DerpConnectionOptions): Promise<DerpError> {
  const connection = connectDerp(options)
  const event = (await nextEvent(connection, 'disconnected')) as { error: DerpError }
  connection.close()
  return event.error
}

test('says why it could not connect', async () => {
  await using refusing = await fakeRelay({ refuse: 503 })
  const base = { privateKey: CLIENT_PRIVATE_KEY, plain: true }
  expect(await firstError({ ...base, region: plainRegion(refusing.port) })).toMatchObject({
    code: 'ERR_DERP_REFUSED',
    message: 'the relay answered 503: not here',
  })
  expect(await firstError({ ...base, region: plainRegion(await freePort()) })).toMatchObject({
    code: 'ERR_DERP_UNREACHABLE',
  })
  expect(await firstError({ ...base, region: { RegionID: 7 } })).toMatchObject({
    code: 'ERR_DERP_NO_NODE',
    message: 'region 7 has no node to dial',
  })
})

test('a relay without TLS is not taken for one with it, unless the map says InsecureForTests', async () => {
  await using relay = await fakeRelay()
  const region = plainRegion(relay.port)
  const error = await firstError({ region, privateKey: CLIENT_PRIVATE_KEY })
  expect(error.code).toBe('ERR_DERP_TLS')
  const Nodes = region.Nodes?.map((node) => ({ ...node, InsecureForTests: true })) ?? []
  const connection = connectDerp({ region: { ...region, Nodes }, privateKey: CLIENT_PRIVATE_KEY })
  await nextEvent(connection, 'connected')
  connection.close()
})

test('close gives up a dialling under way', async () => {
  await using relay = await fakeRelay()
  const connection = connectPlain(plainRegion(relay.port))
  connection.close()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(connection.connected).toBe(false)
})

test('C4: names are asked of DNS, addresses used, and "none" turns a family off', () => {
  const node = { Name: '1a', HostName: 'relay.example' }
  expect(candidatesOf(node, false)).toEqual([
    { host: 'relay.example', family: 6, delay: 0 },
    { host: 'relay.example', family: 4, delay: 0 },
  ])
  expect(candidatesOf({ ...node, IPv4: '192.0.2.1', IPv6: 'none' }, true)).toEqual([
    { host: '192.0.2.1', family: 4, delay: 0 },
  ])
  expect(candidatesOf({ ...node, IPv4: 'none', IPv6: 'none' }, true)).toEqual([])
  expect(candidatesOf({ ...node, HostName: '192.0.2.1' }, true)).toEqual([
    { host: '192.0.2.1', family: 4, delay: 0 },
  ])
})

test('C4: when IPv6 works, IPv4 starts 200 ms late', () => {
  expect(candidatesOf({ Name: '1a', HostName: 'relay.example' }, true).map(({ delay }) => delay)).toEqual([
    0,
    IPV4_DELAY,
  ])
})
