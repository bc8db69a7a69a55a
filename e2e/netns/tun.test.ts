// The kernel's TUN against the same contract as the in-memory pair. Two devices in one namespace, and a kernel that
// forwards from one to the other: what is written to the second arrives at the first, and the other way round.
import { batchOf, packetsOf, type TunDevice } from '@mesh/tun'
import { tunDeviceContract, type TunLink } from '@mesh/tun/contract'
import { configureInterface, openOffloadTun, openTun } from '@mesh/tun/node'
import { encodeUdpPacket } from '@mesh/wire/ip'
import { readdirSync } from 'node:fs'
import { describe, expect } from 'vitest'
import { eventually, type Lab, netnsTest } from './support.ts'

const test = netnsTest('sysctl')

const HERE = Uint8Array.of(10, 90, 0, 2)
/** Without IPv6 the kernel says nothing of its own on a new interface. */
const QUIET = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']
const THERE = Uint8Array.of(10, 91, 0, 2)

/** A packet of this length whose payload is told by its mark. */
function marked(from: Uint8Array, to: Uint8Array, length: number, mark: number): Uint8Array {
  const payload = Uint8Array.from({ length: length - 28 }, (_, at) => (mark + at) & 0xff)
  return encodeUdpPacket({ address: from, port: 4_000 }, { address: to, port: 4_001 }, payload)
}

async function openLink(lab: Lab): Promise<TunLink> {
  const namespace = await lab.namespace('kernel')
  const netns = namespace.name
  await namespace.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', ...QUIET)
  const device = await openTun({ name: 'near0', mtu: 1500, addresses: ['10.90.0.1/24'], netns })
  const far = await openTun({ name: 'far0', mtu: 1500, addresses: ['10.91.0.1/24'], netns })
  return {
    device,
    inbound: (length, mark) => marked(THERE, HERE, length, mark),
    outbound: (length, mark) => marked(HERE, THERE, length, mark),
    inject: (packets) => void far.write(batchOf(packets)),
    onDelivered: (listener) => far.onPackets((batch) => packetsOf(batch).forEach(listener)),
    close: () => far.close(),
  }
}

describe("the kernel's TUN keeps the contract of a device:", () => {
  tunDeviceContract((name, run) => test(name, ({ lab }) => run(lab)), openLink)
})

test('addresses, routes and MTU are set, and setting them again changes nothing', async ({ lab }) => {
  const namespace = await lab.namespace('kernel')
  const settings = {
    addresses: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128'],
    routes: ['100.64.0.0/10', 'fd7a:115c:a1e0::/48'],
    mtu: 1280,
    netns: namespace.name,
  }
  await using tun = await disposable(openTun(settings))
  const { name } = tun.device
  await configureInterface({ name, ...settings })
  expect((await namespace.run('ip', '-o', 'address', 'show', 'dev', name)).stdout).toMatch(
    /100\.64\.0\.1\/32/,
  )
  expect((await namespace.run('ip', 'link', 'show', name)).stdout).toMatch(/UP.* mtu 1280/)
  expect((await namespace.run('ip', 'route')).stdout.trim()).toBe(`100.64.0.0/10 dev ${name} scope link`)
})

test('a name that is in use, and one that is no TUN, are refused in one sentence', async ({ lab }) => {
  const { name: netns } = await lab.namespace('kernel')
  const busy = { name: `mesh${process.pid}`.slice(0, 15) }
  await using tun = await disposable(openTun(busy))
  await expect(openTun(busy)).rejects.toMatchObject({ code: 'ERR_TUN_BUSY' })
  await expect(openTun({ name: 'lo' })).rejects.toMatchObject({ code: 'ERR_TUN_BUSY' })
  await expect(openTun({ netns, addresses: ['10.1.1.1/99'] })).rejects.toMatchObject({
    code: 'ERR_TUN_CONFIGURE',
  })
  await expect(openTun({ netns, addresses: ['-x'] })).rejects.toThrow(RangeError)
  expect(tun.device.mtu).toBe(1280)
})

const openDescriptors = (): number => readdirSync('/proc/self/fd').length

test('an interface that cannot be set up is gone, its queues and what waits for them with it', async ({
  lab,
}) => {
  const namespace = await lab.namespace('kernel')
  const wrong = { name: 'mesh7', netns: namespace.name, addresses: ['10.1.1.1/99'] }
  await expect(openTun(wrong)).rejects.toMatchObject({ code: 'ERR_TUN_CONFIGURE' }) // what is opened once for all is open now
  const before = openDescriptors()
  for (let i = 0; i < 5; i += 1) {
    await expect(openTun(wrong)).rejects.toMatchObject({ code: 'ERR_TUN_CONFIGURE' })
    await expect(openOffloadTun({ ...wrong, queues: 3 })).rejects.toMatchObject({ code: 'ERR_TUN_CONFIGURE' })
  }
  expect(openDescriptors()).toBe(before)
  expect((await namespace.run('ip', '-o', 'link')).stdout).not.toContain('mesh7')
})

test('all queues are of the interface that is moved to another namespace', async ({ lab }) => {
  const namespace = await lab.namespace('kernel')
  const tun = await openOffloadTun({ name: 'mesh8', netns: namespace.name, queues: 3 })
  try {
    expect(readdirSync('/sys/class/net')).not.toContain('mesh8')
    const { stdout } = await namespace.run('ls', '/sys/class/net/mesh8/queues')
    expect(stdout.split('\n').filter((queue) => queue.startsWith('rx-'))).toHaveLength(3)
  } finally {
    tun.close()
  }
})

test('an interface that is deleted closes its device with the reason', async ({ lab }) => {
  const namespace = await lab.namespace('kernel')
  await using tun = await disposable(openTun({ netns: namespace.name }))
  tun.device.onPackets(() => undefined)
  await namespace.run('ip', 'link', 'delete', tun.device.name)
  await expect(tun.device.closed).resolves.toMatchObject({ code: 'ERR_TUN_LOST' })
})

test('a process that ends without closing its device ends all the same', async ({ lab }) => {
  const namespace = await lab.namespace('kernel')
  const program = namespace.startNode(new URL('programs/careless-tun.ts', import.meta.url))
  await program.waitFor(/open/)
  await eventually('its end', async () => program.ended || undefined, 3_000)
})

async function disposable(opening: Promise<TunDevice>): Promise<AsyncDisposable & { device: TunDevice }> {
  const device = await opening
  return { device, [Symbol.asyncDispose]: () => device.close() }
}
