// A node's end on its host, with devices that do what the test says.
import { createTunPair, type TunDevice } from '@mesh/tun'
import { linuxDataPlaneUnsupportedReason } from '@mesh/wireguard/node'
import { expect, test } from 'vitest'
import { HostEnd } from '../../src/node/host-end.ts'

const reason = linuxDataPlaneUnsupportedReason()

/** Devices that write down what is done with them. */
function devices() {
  const told: string[] = []
  const [device] = createTunPair()
  const openDevice = (): Promise<TunDevice> => {
    told.push('open device')
    return Promise.resolve(device)
  }
  const openOffloadDevice = () => {
    told.push('open offload device')
    const close = (): void => void told.push('close offload device')
    return Promise.resolve({
      fd: -1,
      queues: [-1],
      name: 'mesh0',
      mtu: 1280,
      offloads: 'none' as const,
      close,
    })
  }
  return { told, openDevice, openOffloadDevice }
}

const nobody = (): void => undefined

test.skipIf(reason !== undefined)(
  'a thread gets the device where it can be had, and loses it for good when given up',
  async () => {
    const { told, ...options } = devices()
    const end = new HostEnd(options, nobody, nobody)
    await end.open()
    expect([end.tun?.name, end.overlay, end.whyNoThread]).toEqual(['mesh0', undefined, ''])
    await end.giveUpThread('it died')
    expect(told).toEqual(['open offload device', 'close offload device', 'open device'])
    expect([end.tun, end.whyNoThread]).toEqual([undefined, 'it died'])
    expect(end.overlay).toBeDefined()
    await end.close()
  },
)

test.skipIf(reason !== undefined)(
  'a device that is gone is opened anew, for the thread if there was one, and never for one that was given up',
  async () => {
    const { told, ...options } = devices()
    const end = new HostEnd(options, nobody, nobody)
    await end.open()
    await end.reopen()
    expect(told).toEqual(['open offload device', 'close offload device', 'open offload device'])
    await end.giveUpThread('it died')
    await end.reopen()
    expect(told.slice(3)).toEqual(['close offload device', 'open device', 'open device'])
    expect([end.tun, end.whyNoThread]).toEqual([undefined, 'it died'])
    await end.close()
  },
)

test.skipIf(reason !== undefined)(
  'a kernel that cannot open the device for a thread opens it without, and why is said, unless the thread is insisted on',
  async () => {
    const { told, openDevice } = devices()
    const openOffloadDevice = () => Promise.reject(new Error('no virtio headers'))
    const end = new HostEnd({ openDevice, openOffloadDevice }, nobody, nobody)
    await end.open()
    expect([told, end.tun]).toEqual([['open device'], undefined])
    expect(end.whyNoThread).toBe('the device cannot be opened for it: no virtio headers')
    await end.close()
    const strict = new HostEnd({ openDevice, openOffloadDevice, dataPlane: 'linux' }, nobody, nobody)
    await expect(strict.open()).rejects.toThrow('no virtio headers')
    await strict.close()
  },
)

test('a device is read here when another data plane is wanted', async () => {
  const { told, ...options } = devices()
  const end = new HostEnd({ ...options, dataPlane: 'wasm' }, nobody, nobody)
  await end.open()
  expect([told, end.tun, end.whyNoThread]).toEqual([['open device'], undefined, ''])
  await end.close()
})

test('a thread that is insisted on and cannot be had is one sentence', async () => {
  const end = new HostEnd({ dataPlane: 'linux' }, nobody, nobody)
  await expect(end.open()).rejects.toMatchObject({
    code: 'ERR_DATA_PLANE',
    message: 'There is no linux data plane here: it needs a TUN device.',
  })
  await end.close()
})

test('without a device there is the user-space stack, and that is no falling back', async () => {
  const end = new HostEnd({}, nobody, nobody)
  await end.open()
  expect([end.overlay === end.userspace, end.whyNoThread]).toEqual([true, ''])
  await end.close()
})
