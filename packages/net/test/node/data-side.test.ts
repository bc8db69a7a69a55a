// What is left of a data side that could not be opened: nothing.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { DnsResolver } from '@mesh/dns'
import { linuxDataPlaneUnsupportedReason } from '@mesh/wireguard/node'
import { afterEach, expect, test, vi } from 'vitest'
import { Engine } from '../../src/engine.ts'
import { DataSide } from '../../src/node/data-side.ts'
import { HostEnd } from '../../src/node/host-end.ts'
import { PacketThread } from '../../src/node/packet-thread.ts'

const reason = linuxDataPlaneUnsupportedReason()
const nobody = (): void => undefined
const NO_TUN = { fd: -1, queues: [], name: 'mesh0', mtu: 1280, offloads: 'none', close: nobody } as const

afterEach(() => vi.restoreAllMocks())

async function portOf(socket = createSocket('udp4').bind(0)): Promise<number> {
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => void socket.close(resolve))
  return port
}

/** Why a data side with this port cannot be opened, and which port is to be had afterwards. */
async function failure(host: HostEnd, port: number): Promise<unknown> {
  await host.open()
  const said = await DataSide.open({
    nodeKey: new Uint8Array(32).fill(1),
    host,
    port,
    allowLoopback: true,
    dns: new DnsResolver(),
    onPaths: nobody,
    onNetworkChange: nobody,
    onThread: nobody,
  }).catch((error: Error) => error.message)
  await host.close()
  return [said, await portOf(createSocket('udp4').bind(port))]
}

function refuse(): never {
  throw new Error('no more of them')
}

test('a data side whose engine cannot be made gives its port back', async () => {
  vi.spyOn(Engine.prototype, 'setHost').mockImplementation(refuse)
  const port = await portOf()
  expect(await failure(new HostEnd({}, nobody, nobody), port)).toEqual(['no more of them', port])
})

test.skipIf(reason !== undefined)(
  `a data side whose packet thread cannot be begun gives its port back${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  async () => {
    vi.spyOn(PacketThread.prototype, 'open').mockImplementation(refuse)
    const devices = {
      openDevice: () => Promise.reject(new Error('nobody asks for it')),
      openOffloadDevice: () => Promise.resolve(NO_TUN),
    }
    const port = await portOf()
    expect(await failure(new HostEnd(devices, nobody, nobody), port)).toEqual(['no more of them', port])
  },
)
