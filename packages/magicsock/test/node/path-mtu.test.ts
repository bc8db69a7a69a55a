// What a running magicsock finds out of the packets that a path carries depends on what its sockets can.
import { expect, test } from 'vitest'
import type { DatagramSocket } from '../../src/index.ts'
import { type MagicSockHandle, openMagicSock, openUdpSockets } from '../../src/node/index.ts'

/** Sockets that send whole datagrams when asked, or say that they cannot. */
async function openSockets(canKeepWhole: boolean) {
  const sockets = await openUdpSockets()
  const asked: boolean[] = []
  const given: DatagramSocket = {
    get ports() {
      return sockets.ports
    },
    listen: (listener) => sockets.listen(listener),
    send: (bytes, to) => sockets.send(bytes, to),
    setDontFragment: (whole) => {
      asked.push(whole)
      return !whole || canKeepWhole
    },
    rebind: () => sockets.rebind(),
    close: () => sockets.close(),
  }
  return { given, asked }
}

async function mtuSeenBy(one: MagicSockHandle, two: MagicSockHandle): Promise<number | undefined> {
  const { nodeKey, discoKey } = two
  const endpoints = two.endpoints.map((local) => local.endpoint)
  one.setPeers([{ id: 2, nodeKey, discoKey, endpoints, homeRelay: 0 }])
  two.setPeers([{ id: 1, nodeKey: one.nodeKey, discoKey: one.discoKey, endpoints: [], homeRelay: 0 }])
  for (let round = 0; round < 4; round += 1) expect(await one.ping(2)).toMatchObject({ ok: true })
  return one.status(2)?.mtu
}

test('the system’s own sockets cannot keep datagrams whole, and whoever wishes for it is told; other habits are kept', async () => {
  const sock = await openMagicSock({ allowLoopback: true })
  expect(sock.setHabits({ probePathMtu: true, silentDisco: true })).toEqual({
    probePathMtu: false,
    silentDisco: true,
  })
  await sock.close()
})

test.each([
  [true, 9_000],
  [false, 1_360],
])('sockets that can keep datagrams whole: %s; then packets of %d bytes have passed', async (can, mtu) => {
  const { given, asked } = await openSockets(can)
  const one = await openMagicSock({ allowLoopback: true, sockets: given })
  const two = await openMagicSock({ allowLoopback: true })
  expect(one.setHabits({ probePathMtu: true })).toEqual({ probePathMtu: can })
  expect(await mtuSeenBy(one, two)).toBe(mtu)
  one.setHabits({})
  expect(asked).toEqual([true, false])
  await Promise.all([one.close(), two.close()])
})
