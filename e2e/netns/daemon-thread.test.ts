// Two daemons with real TUN devices: who moves their packets, that the counters are true, which way packets take when the
// straight one is cut, and what happens when the packet thread dies.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalMesh, NODE_FLAGS, type NodeStatus, type PeerStatus } from '@mesh/demo/local-mesh'
import { Namespaces } from '@mesh/demo/namespaces'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, netnsSkipReason } from './support.ts'

const reason = netnsSkipReason(['ping', 'iperf3'])
const INSPECTOR = 9229
const END_THREAD = new URL('programs/end-packet-thread.ts', import.meta.url).pathname
const MESHD = 'apps/daemon/src/meshd.ts'

const namespaces = new Namespaces(`${process.pid}t`)
const directory = mkdtempSync(join(tmpdir(), 'mesh-thread-'))
const mesh = new LocalMesh({
  directory,
  host: '10.77.0.1',
  tun: 'mesh0',
  wrap: (who, program, args) => namespaces.wrap(who, program, args),
})

/** Starts a daemon with more flags, for itself and for Node. */
async function start(
  name: string,
  flags: readonly string[] = [],
  nodeFlags: readonly string[] = [],
): Promise<void> {
  const args = [...NODE_FLAGS, ...nodeFlags, MESHD, ...mesh.daemonArgs(name), ...flags]
  const child = mesh.spawn(name, name, process.execPath, ...args)
  await child.until(() => mesh.status(name).catch(() => undefined))
}

async function peerOf(name: string): Promise<PeerStatus> {
  const [peer] = Object.values((await mesh.status(name)).Peer ?? {})
  if (peer === undefined) throw new Error(`${name} has no peer`)
  return peer
}

/** Pings from the kernel of one node to the other, and returns how many answers came. */
async function ping(from: string, to: string, ...args: readonly string[]): Promise<number> {
  const [address = ''] = (await mesh.status(to)).TailscaleIPs ?? []
  const { stdout } = await mesh.exec(from, 'ping', '-W', '1', ...args, address)
  return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0)
}

async function iperf(...args: readonly string[]): Promise<number> {
  const [address = ''] = (await mesh.status('b')).TailscaleIPs ?? []
  const server = mesh.spawn('iperf3', 'b', 'iperf3', '-s', '-1', '-B', address, '--forceflush')
  await server.printed(/listening/)
  const { stdout } = await mesh.exec('a', 'iperf3', '-J', '-c', address, ...args)
  await server.ended
  const report = JSON.parse(stdout) as { end?: { sum_received?: { bits_per_second?: number } } }
  return report.end?.sum_received?.bits_per_second ?? 0
}

function dataPlaneOf(status: NodeStatus): unknown {
  return (status as { DataPlane?: unknown }).DataPlane
}

/** Cuts the way between the two nodes, but not those to the hub. */
async function isolate(on: boolean): Promise<void> {
  for (const node of ['a', 'b']) {
    const done = await mesh.exec(
      'hub',
      'bridge',
      'link',
      'set',
      'dev',
      `to-${node}`,
      'isolated',
      on ? 'on' : 'off',
    )
    if (done.code !== 0) throw new Error(done.stderr)
  }
}

describe.skipIf(reason !== undefined)(
  `two daemons with TUN devices${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    beforeAll(async () => {
      await namespaces.create(['a', 'b'])
      await mesh.choosePorts()
      await mesh.startRelay()
      await mesh.startControl()
      await mesh.ensureAuthKey()
      await start('a', [], [`--inspect=127.0.0.1:${INSPECTOR}`])
      await start('b')
      for (const name of ['a', 'b']) await mesh.up(name)
      for (const [one, other] of [
        ['a', 'b'],
        ['b', 'a'],
      ] as const)
        await mesh.untilPeer(one, other)
      await eventually(
        'an answer',
        async () => ((await ping('a', 'b', '-c', '1')) === 1 ? true : undefined),
        20_000,
      )
    })

    afterAll(async () => {
      await mesh.stop()
      await namespaces.remove()
      rmSync(directory, { recursive: true, force: true })
    })

    test('a thread of their own moves the packets, and status says so', async () => {
      for (const name of ['a', 'b']) {
        const status = await mesh.untilStatus(name, (known) =>
          JSON.stringify(dataPlaneOf(known)).includes('open'),
        )
        expect(dataPlaneOf(status)).toMatchObject({ Kind: 'linux' })
        expect((await mesh.mesh(name, 'status')).stdout).toMatch(/^# Data plane: linux \(\S+\)$/m)
      }
    })

    test('what one says it sent straight the other says it received, to the packet and the byte', async () => {
      await eventually('a direct path', async () =>
        (await mesh.ping('a', 'b')).Endpoint === '' ? undefined : true,
      )
      const counts = async (): Promise<object> => {
        const [a, b] = await Promise.all([peerOf('a'), peerOf('b')])
        return {
          there: [a.TxBytes - b.RxBytes, (a.Paths?.directTx ?? 0) - (b.Paths?.directRx ?? 0)],
          back: [b.TxBytes - a.RxBytes, (b.Paths?.directTx ?? 0) - (a.Paths?.directRx ?? 0)],
        }
      }
      await sleep(300)
      const before = await counts()
      const { TxBytes: tx, Paths } = await peerOf('a')
      const relayed = { relayTx: Paths?.relayTx, relayRx: Paths?.relayRx }
      expect(await ping('a', 'b', '-c', '200', '-i', '0.005', '-s', '1000')).toBe(200)
      await sleep(300)
      expect(await counts()).toEqual(before)
      expect((await peerOf('a')).TxBytes - tx).toBeGreaterThanOrEqual(200 * 1060)
      expect(await iperf('-t', '1')).toBeGreaterThan(10e6)
      const { relayTx, relayRx } = (await peerOf('a')).Paths ?? {}
      expect({ relayTx, relayRx }).toEqual(relayed)
    })

    test('D8: packets go by the relay when the straight way is cut, and straight again when it is mended', async () => {
      await isolate(true)
      const relayed = async (): Promise<number> => (await peerOf('a')).Paths?.relayTx ?? 0
      const before = await relayed()
      await ping('a', 'b', '-c', '80', '-i', '0.1')
      expect(await ping('a', 'b', '-c', '20', '-i', '0.05')).toBe(20)
      expect((await peerOf('a')).CurAddr).toBe('')
      expect((await mesh.mesh('a', 'status')).stdout).toMatch(/active; relay "mesh" \([a-z-]+\)/)
      expect((await mesh.mesh('a', 'explain', 'b')).stdout).toMatch(/^Path: relay region \d+\nWhy:\n {2}- /)
      expect((await relayed()) - before).toBeGreaterThan(20)
      await isolate(false)
      await eventually(
        'a direct path',
        async () => {
          await ping('a', 'b', '-c', '5', '-i', '0.1')
          return (await peerOf('a')).CurAddr === '' ? undefined : true
        },
        20_000,
      )
      const then = await relayed()
      expect(await ping('a', 'b', '-c', '20', '-i', '0.05')).toBe(20)
      expect((await relayed()) - then).toBeLessThanOrEqual(1)
    })

    test('a node whose address changes is found at the new one, and is back at relay and control', async () => {
      await mesh.exec('a', 'ip', 'address', 'delete', '10.77.0.2/24', 'dev', 'eth0')
      await mesh.exec('a', 'ip', 'address', 'add', '10.77.0.22/24', 'dev', 'eth0')
      await eventually(
        'the relay',
        async () => ((await mesh.ping('b', 'a', 'relay', 500)).Err === '' ? true : undefined),
        20_000,
      )
      await eventually('the new address', async () =>
        (await peerOf('b')).Addrs.some((one) => one.startsWith('10.77.0.22:')) ? true : undefined,
      )
      await eventually(
        'a direct path to it',
        async () => {
          await ping('b', 'a', '-c', '2', '-i', '0.2')
          return (await peerOf('b')).CurAddr.startsWith('10.77.0.22:') ? true : undefined
        },
        20_000,
      )
    })

    test('a packet thread that dies is replaced, knows rules and paths again, and packets move within a second', async () => {
      await sleep(5_100) // no initiation is sent within five seconds of another
      const before = await peerOf('a')
      const ended = await mesh.exec('a', process.execPath, ...NODE_FLAGS, END_THREAD, String(INSPECTOR))
      expect(ended.stdout + ended.stderr).toContain('ended')
      const answers = await ping('a', 'b', '-c', '100', '-i', '0.02')
      expect(answers).toBeGreaterThan(50) // two seconds of pings; at most one of them without answers
      expect(await ping('b', 'a', '-c', '10', '-i', '0.02')).toBe(10)
      await mesh.child('a')?.printed(/packet thread was begun anew/)
      const after = await peerOf('a')
      expect(after.TxBytes).toBeGreaterThan(before.TxBytes)
      expect(after.RxBytes).toBeGreaterThan(before.RxBytes)
    })

    /** Deletes the interface of `a`, which daemons do not expect, and waits until packets cross again. */
    async function loseInterface(): Promise<void> {
      expect(await ping('a', 'b', '-c', '3', '-i', '0.1')).toBe(3)
      expect((await mesh.exec('a', 'ip', 'link', 'delete', 'mesh0')).code).toBe(0)
      await mesh.child('a')?.printed(/interface is gone|mesh0 is gone/)
      await eventually(
        'an answer through a new interface',
        async () => ((await ping('a', 'b', '-c', '1')) === 1 ? true : undefined),
        30_000,
      )
      expect(await ping('b', 'a', '-c', '10', '-i', '0.05')).toBe(10)
    }

    test('an interface that somebody deletes is made again, addresses and routes and all', async () => {
      await loseInterface()
      expect(dataPlaneOf(await mesh.status('a'))).toMatchObject({ Kind: 'linux' })
    })

    test('a packet thread that dies again and again is given up, and the control thread carries on', async () => {
      const isGivenUp = async (): Promise<boolean> =>
        JSON.stringify(dataPlaneOf(await mesh.status('a')) ?? '').includes('wasm')
      for (let death = 1; death <= 6 && !(await isGivenUp()); death += 1) {
        const ended = await mesh.exec('a', process.execPath, ...NODE_FLAGS, END_THREAD, String(INSPECTOR))
        expect(ended.stdout).toContain('ended')
        await sleep(1_000)
      }
      expect(dataPlaneOf(await mesh.status('a'))).toMatchObject({
        Kind: 'wasm',
        Reason: expect.stringMatching(/^its thread died too often: /) as string,
      })
      await eventually(
        'an answer',
        async () => ((await ping('a', 'b', '-c', '1')) === 1 ? true : undefined),
        20_000,
      )
      expect((await mesh.mesh('a', 'status')).stdout).toMatch(/^# Data plane: wasm, because its thread died/m)
    })

    test('an interface that somebody deletes is made again where the control thread reads it', async () => {
      await loseInterface()
      expect(dataPlaneOf(await mesh.status('a'))).toMatchObject({ Kind: 'wasm' })
    })

    test.each(['wasm', 'portable'])(
      'the %s data plane carries the kernel’s packets as well',
      async (plane) => {
        await mesh.child('b')?.stop()
        await start('b', [`--data-plane=${plane}`])
        await mesh.untilStatus('b', ({ BackendState }) => BackendState === 'Running')
        await eventually(
          'an answer',
          async () => ((await ping('b', 'a', '-c', '1')) === 1 ? true : undefined),
          20_000,
        )
        expect(dataPlaneOf(await mesh.status('b'))).toMatchObject({ Kind: plane })
        expect(await ping('a', 'b', '-c', '50', '-i', '0.01')).toBe(50)
        expect(await iperf('-t', '1')).toBeGreaterThan(1e6)
      },
    )
  },
)
