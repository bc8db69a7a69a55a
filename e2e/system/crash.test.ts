// Every program of a mesh is killed with SIGKILL in turn, and the mesh comes back by itself: without the control
// server and without the relay traffic goes on, and a daemon that is started again is the same node as before.
import { beforeAll, expect, test } from 'vitest'
import { meshOfTwo } from './mesh-of-two.ts'

const mesh = meshOfTwo('crash')

beforeAll(() => untilDirect('a', 'b'))

test('traffic goes on while the control server is gone, and nodes find it again', async () => {
  await kill('control')
  for (let count = 0; count < 5; count++) await mesh.untilReachable('a', 'b', 2_000)
  expect((await mesh.status('a')).BackendState).toBe('Running')

  await mesh.startControl()
  // Control itself is asked: the nodes' own maps still call everybody online, from before.
  await eventually(async () => (await nodesOfControl()).filter((node) => node.online).length === 2, 60_000)
  await mesh.untilReachable('b', 'a')
})

test('direct traffic goes on while the relay is gone, and nodes connect to it again', async () => {
  await kill('relay')
  for (let count = 0; count < 5; count++) await mesh.untilReachable('a', 'b', 2_000)

  await mesh.startRelay()
  await eventually(async () => (await mesh.ping('a', 'b', 'relay', 2_000)).Err === '', 60_000)
})

test('a daemon that was killed comes back with its address and is reached within ten seconds', async () => {
  const before = (await mesh.status('b')).TailscaleIPs ?? []
  expect(before).toHaveLength(2)
  await kill('b')

  const started = performance.now()
  await mesh.startDaemon('b')
  await mesh.untilReachable('a', before[0] ?? '', 10_000)
  expect(performance.now() - started).toBeLessThan(10_000)
  expect((await mesh.status('b')).TailscaleIPs).toEqual(before)
})

test('a control server that was killed has forgotten nothing that it had confirmed', async () => {
  await kill('control')
  await mesh.startControl()
  expect((await nodesOfControl()).map((node) => node.givenName).toSorted()).toEqual(['a', 'b'])
})

async function nodesOfControl(): Promise<{ givenName: string; online: boolean }[]> {
  return JSON.parse(await mesh.control('nodes', 'list', '--json')) as { givenName: string; online: boolean }[]
}

async function kill(name: string): Promise<void> {
  const child = mesh.child(name)
  if (child === undefined) throw new Error(`${name} does not run`)
  child.signal('SIGKILL')
  expect(await child.ended).toBe('SIGKILL')
}

async function untilDirect(from: string, to: string): Promise<void> {
  await eventually(async () => (await mesh.ping(from, to)).Endpoint !== '', 20_000)
}

async function eventually(isSo: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await isSo().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`it did not come so in ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
