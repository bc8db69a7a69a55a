// A node whose key has expired gets another, and its state cannot be written at one moment or another.
import { MemoryStore, relayMap } from '@mesh/control-server'
import { type ControlListener, listenControl } from '@mesh/control-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { memoryStore, NetError, NEXT_NODE_KEY, NODE_KEY, type NodeEvent, type StateStore } from '@mesh/net'
import { MeshNode } from '@mesh/net/node'
import { systemRandom } from '@mesh/sansio/node'
import { afterEach, beforeEach, expect, test } from 'vitest'

/** A state on a disk that is full from some write on. */
class SmallState implements StateStore {
  readonly #kept = memoryStore()
  /** How many more writes there is room for. */
  room = Infinity

  read(name: string): string | undefined {
    return this.#kept.read(name)
  }

  async write(values: Parameters<StateStore['write']>[0]): Promise<void> {
    if (this.room === 0) throw new NetError('ERR_STATE_UNWRITABLE', 'The state cannot be written (ENOSPC).')
    this.room -= 1
    await this.#kept.write(values)
  }
}

let control: ControlListener
let state: SmallState
const nodes: MeshNode[] = []

beforeEach(async () => {
  state = new SmallState()
  control = await listenControl({
    host: '127.0.0.1',
    port: 0,
    baseDomain: 'mesh.internal',
    store: new MemoryStore(),
    privateKey: generatePrivateKey(systemRandom),
    derpMap: relayMap([{ host: '127.0.0.1', port: 1, stunPort: 3478, insecure: true }]),
  })
  await control.admin({ verb: 'users create', name: 'ann' })
  const { key } = await control.admin({ verb: 'preauthkeys create', user: 'ann' })
  const { node } = begin(key)
  await node.ready
  await node.close()
})

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close()
  await control.close()
})

test('a new node key that cannot be kept is not told to control, and the old one counts when it is extended', async () => {
  const [before] = await control.admin({ verb: 'nodes list' })
  await control.admin({ verb: 'nodes expire', node: '1' })
  state.room = 0
  const { node, events } = begin()
  await expect
    .poll(() => events.find(({ kind }) => kind === 'trouble'))
    .toMatchObject({
      code: 'ERR_CONTROL_KEY_NOT_KEPT',
      message: expect.stringMatching(/^The new key of this node cannot be kept: .*ENOSPC/) as string,
    })
  await control.admin({ verb: 'nodes expire', node: '1', at: 'never' })
  await node.ready
  const [after] = await control.admin({ verb: 'nodes list' })
  expect(after?.nodeKey).toBe(before?.nodeKey)
  expect(await control.admin({ verb: 'logins list' })).toEqual([])
})

test('a new node key that control knows and that could not be noted as such counts after a restart', async () => {
  const kept = state.read(NODE_KEY)
  await control.admin({ verb: 'nodes expire', node: '1' })
  state.room = 1
  const { node, events } = begin()
  await expect.poll(() => events.some(({ kind }) => kind === 'auth-url')).toBe(true)
  const waits = state.read(NEXT_NODE_KEY)
  const [login] = await control.admin({ verb: 'logins list' })
  await control.admin({ verb: 'nodes register', key: login?.key ?? '', user: 'ann' })
  await node.ready
  await node.close()
  expect([state.read(NODE_KEY), state.read(NEXT_NODE_KEY)]).toEqual([kept, waits])

  state.room = Infinity
  const again = begin()
  await again.node.ready
  expect(again.events.filter(({ kind }) => kind === 'auth-url')).toEqual([])
  expect([state.read(NODE_KEY), state.read(NEXT_NODE_KEY)]).toEqual([waits, undefined])
  expect(await control.admin({ verb: 'nodes list' })).toHaveLength(1)
})

test('a node that waits for its person with a new key goes on with the old one when that is extended', async () => {
  const kept = state.read(NODE_KEY)
  await control.admin({ verb: 'nodes expire', node: '1' })
  const { node, events } = begin()
  await expect.poll(() => events.some(({ kind }) => kind === 'auth-url')).toBe(true)
  await node.close()
  await control.admin({ verb: 'nodes expire', node: '1', at: 'never' })
  const again = begin()
  await again.node.ready
  expect(state.read(NODE_KEY)).toBe(kept)
})

function begin(authKey?: string): { readonly node: MeshNode; readonly events: readonly NodeEvent[] } {
  const node = MeshNode.start({
    controlUrl: control.url,
    hostname: 'a',
    store: state,
    keepTrying: true,
    allowLoopback: true,
    ...(authKey === undefined ? {} : { authKey }),
  })
  nodes.push(node)
  const events: NodeEvent[] = []
  node.on((event) => events.push(event))
  return { node, events }
}
