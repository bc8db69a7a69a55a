// The control server is away when a daemon is started again: it goes by the last map it had.
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { meshOfTwo } from './mesh-of-two.ts'

const mesh = meshOfTwo('away')
const mapOf = (name: string): string => join(mesh.directory, `${name}.state.map`)

test('a daemon that is started again while control is away reaches its peers, and is reached', async () => {
  const before = (await mesh.status('b')).TailscaleIPs
  await mesh.child('control')?.stop()
  await mesh.child('b')?.stop()
  expect(statSync(mapOf('b')).mode & 0o777).toBe(0o600)

  await mesh.startDaemon('b')
  const status = await mesh.untilStatus('b', ({ BackendState }) => BackendState === 'Running')
  expect(status.TailscaleIPs).toEqual(before)
  expect(status.Peer && Object.values(status.Peer).map(({ DNSName }) => DNSName)).toEqual([
    'a.mesh.internal.',
  ])
  await mesh.untilReachable('b', 'a', 20_000)
  await mesh.untilReachable('a', 'b', 20_000)
})

test('control is back, and both nodes are online again', async () => {
  await mesh.startControl()
  await mesh.untilPeer('a', 'b', 60_000)
  await mesh.untilPeer('b', 'a', 60_000)
  expect((await mesh.status('b')).Health).toEqual([])
})

test('a node that was deleted meanwhile has no peers any more, whatever its last map says', async () => {
  await mesh.child('b')?.stop()
  await mesh.control('nodes', 'delete', 'b')
  await mesh.startDaemon('b')
  const status = await mesh.untilStatus('b', ({ BackendState }) => BackendState === 'NeedsLogin')
  expect(Object.keys(status.Peer ?? {})).toEqual([])
})

test('a logout forgets the map, and says so when control could not be told', async () => {
  expect(existsSync(mapOf('a'))).toBe(true)
  await mesh.child('control')?.stop()
  const { code, stderr } = await mesh.mesh('a', 'logout')
  expect(code).toBe(1)
  expect(stderr).toMatch(
    /^This machine has forgotten its login. The login has not ended at the control server: cannot reach .*\.\n$/,
  )
  expect(existsSync(mapOf('a'))).toBe(false)
  expect((await mesh.status('a')).BackendState).toBe('NeedsLogin')
})
