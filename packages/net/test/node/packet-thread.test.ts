// The packet thread's ties to magicsock, without a TUN: which paths it is told, and when one is taken back.
import type { OffloadTun } from '@mesh/tun/node'
import { type Endpoint, parseEndpoint } from '@mesh/wire/ip'
import type { DataPlaneOutputs } from '@mesh/wireguard'
import { linuxDataPlaneUnsupportedReason } from '@mesh/wireguard/node'
import { expect, onTestFinished, test, vi } from 'vitest'
import { PacketThread } from '../../src/node/packet-thread.ts'

const PEER = 1
const unsupported = linuxDataPlaneUnsupportedReason()
const NO_TUN = { fd: -1, mtu: 1280 } as unknown as OffloadTun
const OUTPUTS: DataPlaneOutputs = {
  toOverlay: () => undefined,
  toUnderlay: () => undefined,
  onDatagrams: () => undefined,
  onActivity: () => undefined,
  onSource: () => undefined,
  onSessionEnd: () => undefined,
}

test.skipIf(unsupported !== undefined)(
  `a path stays as long as magicsock goes straight to it, as it is on the wire (NAT64), and is taken back when it does not${unsupported ? ` (skipped: ${unsupported})` : ''}`,
  async () => {
    const onTheWire = parseEndpoint('[64:ff9b::203.0.113.2]:41641')!
    let straight: Endpoint | undefined = onTheWire
    const thread = new PacketThread(NO_TUN, 0, () => undefined)
    onTestFinished(() => thread.close())
    const paths: (Endpoint | undefined)[] = []
    vi.spyOn(thread.plane, 'setPath').mockImplementation((_peer, endpoint) => void paths.push(endpoint))
    thread.join({
      engine: { takeUp: () => undefined, wake: () => undefined },
      sock: {
        noteTraffic: () => straight,
        attributeEndpoint: () => undefined,
        straightPath: () => straight,
      },
    })
    const plane = thread.open(OUTPUTS)
    plane.setRoutes([{ peer: PEER, routes: [], allowedIps: [] }])
    const [sendKey, receiveKey] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    const session = { localIndex: 1, remoteIndex: 2, sendKey, receiveKey, initiator: true, createdAt: 0 }
    // A session of ours is opened by a keepalive, which is traffic.
    plane.setSession(PEER, session, performance.now())
    await expect.poll(() => paths).toEqual([onTheWire])
    thread.notePathChange(PEER)
    await new Promise((resolve) => setTimeout(resolve, 1_200)) // paths are looked at once a second
    expect(paths).toEqual([onTheWire])
    straight = undefined
    await expect.poll(() => paths, { timeout: 3_000 }).toEqual([onTheWire, undefined])
  },
)
