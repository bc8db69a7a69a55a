// Ends of a login: by a node that runs, by one that does not, and while the control server is away.
import { MemoryStore, relayMap } from '@mesh/control-server'
import { type ControlListener, listenControl } from '@mesh/control-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { type MapCache, memoryStore, NODE_KEY, type StateStore } from '@mesh/net'
import { endLogin, MeshNode } from '@mesh/net/node'
import { systemRandom } from '@mesh/sansio/node'
import { afterEach, beforeEach, expect, test } from 'vitest'

const UNREACHABLE = {
  code: 'ERR_CONTROL_UNREACHABLE',
  message: expect.stringMatching(/^The login has not ended at the control server: .+\.$/) as string,
}
const kept = { store: new MemoryStore(), privateKey: generatePrivateKey(systemRandom) }

let control: ControlListener
let key = ''
let store: StateStore
let node: MeshNode
let map: string | undefined
let mapIsKept: PromiseWithResolvers<void>
const mapCache: MapCache = {
  read: () => map,
  write: (text) => {
    map = text
    mapIsKept.resolve()
    return Promise.resolve()
  },
}

async function startControl(port = 0): Promise<void> {
  control = await listenControl({
    ...kept,
    host: '127.0.0.1',
    port,
    derpMap: relayMap([]),
    baseDomain: 'mesh.internal',
  })
}

beforeEach(async () => {
  await startControl()
  const users = await control.admin({ verb: 'users list' })
  if (users.length === 0) await control.admin({ verb: 'users create', name: 'ann' })
  key = (await control.admin({ verb: 'preauthkeys create', user: 'ann' })).key
  store = memoryStore()
  mapIsKept = Promise.withResolvers()
  node = await MeshNode.join({
    controlUrl: control.url,
    hostname: 'box',
    authKey: key,
    store,
    mapCache,
    allowLoopback: true,
  })
  await mapIsKept.promise
})
afterEach(async () => {
  await node.close()
  await control.close()
})

/** Whether control counts the last node as logged out. */
async function isOut(): Promise<boolean | undefined> {
  const nodes = await control.admin({ verb: 'nodes list' })
  return nodes.find(({ ipAddresses }) => node.addresses.some((own) => ipAddresses.includes(own)))?.expired
}

test('a node that logs out is out at control, and its map forgotten', async () => {
  expect(await isOut()).toBe(false)
  await node.logout()
  expect([await isOut(), map]).toEqual([true, undefined])
  await node.close()
  expect(map).toBeUndefined()
})

test('a node that cannot tell control says so, keeps its map and stays in, and is out when asked again', async () => {
  const { port } = new URL(control.url)
  await control.close()
  await expect(node.logout()).rejects.toMatchObject(UNREACHABLE)
  expect([node.addresses.length > 0, map !== undefined]).toEqual([true, true])
  await startControl(Number(port))
  expect(await isOut()).toBe(false)
  await node.logout()
  expect([await isOut(), map]).toEqual([true, undefined])
})

test('a node that does not run is logged out by its state alone', async () => {
  await node.close()
  const login = { controlUrl: control.url, hostname: 'box', store }
  await endLogin(login)
  expect(await isOut()).toBe(true)
  await control.close()
  await expect(endLogin(login)).rejects.toMatchObject(UNREACHABLE)
  await store.write({ [NODE_KEY]: undefined })
  await endLogin(login)
})

test('a node that was closed says so', async () => {
  await node.close()
  await expect(node.logout()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
})
