// The end of a node, also while something of it hangs.
import { MeshNode } from '@mesh/net/node'
import { createTunPair, type TunDevice } from '@mesh/tun'
import { expect, test } from 'vitest'

const NOBODY = 'http://127.0.0.1:9'

test('a node whose device never opens can be closed, and closes the device when it comes after all', async () => {
  const { promise, resolve } = Promise.withResolvers<TunDevice>()
  const node = MeshNode.start({ controlUrl: NOBODY, hostname: 'a', openDevice: () => promise })
  await node.close()
  await expect(node.ready).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  const [device] = createTunPair()
  resolve(device)
  await expect(device.closed).resolves.toBeUndefined()
})

test('a node that is closed opens nothing more, and says so instead of waiting for ever', async () => {
  const node = MeshNode.start({ controlUrl: NOBODY, hostname: 'a', keepTrying: true })
  await node.close()
  const closed = { code: 'ERR_CLOSED' }
  await expect(node.dial('100.64.0.2', 80)).rejects.toMatchObject(closed)
  const opens = [() => node.listen(80, () => undefined), () => node.listenUdp(7, () => undefined)]
  for (const open of opens) expect(open).toThrow(expect.objectContaining(closed) as Error)
})

test('a node that waits for nothing is closed at once', async () => {
  const node = MeshNode.start({ controlUrl: NOBODY, hostname: 'a', keepTrying: true })
  const started = performance.now()
  await node.close()
  expect(performance.now() - started).toBeLessThan(1000)
})
