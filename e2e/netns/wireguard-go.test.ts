// Our WireGuard device and TUN against the distribution's wireguard-go, each in a namespace of its own: handshakes in
// both roles, the kernel's ping and iperf3 both ways, and rekeys begun by either side without a packet lost.
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { NodeSettings } from './programs/wireguard-node.ts'
import { eventually, type Lab, type Namespace, netnsTest, type Started } from './support.ts'

const test = netnsTest('wireguard-go', 'wg', 'ping', 'iperf3')

const OURS = { underlay: '192.0.2.1', overlay: '10.9.0.1', overlay6: 'fd00:9::1', port: 51_821 }
const THEIRS = { underlay: '192.0.2.2', overlay: '10.9.0.2', overlay6: 'fd00:9::2', port: 51_822 }
const PROGRAM = new URL('programs/wireguard-node.ts', import.meta.url)

interface Keys {
  readonly publicKey: string
  readonly privateKey: string
}

/** The two nodes, their tunnel up. */
class Pair {
  readonly here: Namespace
  readonly there: Namespace
  readonly node: Started
  readonly #wgName: string
  readonly #ourKey: string

  constructor(here: Namespace, there: Namespace, node: Started, wgName: string, ourKey: string) {
    this.here = here
    this.there = there
    this.node = node
    this.#wgName = wgName
    this.#ourKey = ourKey
  }

  /** Tells wireguard-go about us, with or without our endpoint. */
  async setPeer(endpoint: boolean): Promise<void> {
    const where = endpoint ? ['endpoint', `${OURS.underlay}:${OURS.port}`] : []
    const allowed = `${OURS.overlay}/32,${OURS.overlay6}/128`
    await this.there.run('wg', 'set', this.#wgName, 'peer', this.#ourKey, 'allowed-ips', allowed, ...where)
  }

  /** Has wireguard-go forget us and its session with us. */
  async removePeer(): Promise<void> {
    await this.there.run('wg', 'set', this.#wgName, 'peer', this.#ourKey, 'remove')
  }

  /** Returns which side began each handshake so far, as our side tells it. */
  handshakes(): ('ours' | 'theirs')[] {
    const lines = this.node.output.split('\n').filter((line) => line.includes('"established"'))
    return lines.map((line) => ((JSON.parse(line) as { initiator: boolean }).initiator ? 'ours' : 'theirs'))
  }

  /** Returns how long ago wireguard-go saw its last handshake, in seconds since 1970; 0 for never. */
  async latestHandshake(): Promise<number> {
    const { stdout } = await this.there.run('wg', 'show', this.#wgName, 'latest-handshakes')
    return Number(stdout.split('\t')[1] ?? 0)
  }
}

async function openPair(lab: Lab, known: { ourEndpoint: boolean; theirEndpoint: boolean }): Promise<Pair> {
  const [here, there] = [await lab.namespace('ours'), await lab.namespace('theirs')]
  await lab.cable(here, `${OURS.underlay}/24`, there, `${THEIRS.underlay}/24`)
  const [ourKeys, theirKeys] = [generateKeys(), generateKeys()]
  const wgName = await startWireGuardGo(there, theirKeys)
  const node = startOurs(here, ourKeys, theirKeys.publicKey, known.theirEndpoint)
  const pair = new Pair(here, there, node, wgName, ourKeys.publicKey)
  await pair.setPeer(known.ourEndpoint)
  await node.waitFor(/"ready"/)
  return pair
}

function startOurs(here: Namespace, keys: Keys, theirKey: string, knowEndpoint: boolean): Started {
  const settings: NodeSettings = {
    name: 'mesh0',
    addresses: [`${OURS.overlay}/24`, `${OURS.overlay6}/64`],
    routes: [],
    privateKey: keys.privateKey,
    port: OURS.port,
    peer: {
      publicKey: theirKey,
      allowedIps: [`${THEIRS.overlay}/32`, `${THEIRS.overlay6}/128`],
      ...(knowEndpoint ? { endpoint: { address: THEIRS.underlay, port: THEIRS.port } } : {}),
    },
  }
  const node = here.startNode(PROGRAM)
  node.send(JSON.stringify(settings))
  return node
}

let started = 0

/** Starts wireguard-go and gives it its key; the socket it is steered by is named after the interface. */
async function startWireGuardGo(there: Namespace, keys: Keys): Promise<string> {
  started += 1
  const name = `wgt${process.pid}-${started}`
  const daemon = there.start('env', 'LOG_LEVEL=verbose', 'wireguard-go', '-f', name)
  await eventually(
    'wireguard-go to listen',
    async () => existsSync(`/var/run/wireguard/${name}.sock`) || undefined,
  )
  const folder = mkdtempSync(join(tmpdir(), 'mesh-e2e-'))
  try {
    writeFileSync(join(folder, 'key'), `${keys.privateKey}\n`, { mode: 0o600 })
    await there.run('wg', 'set', name, 'listen-port', `${THEIRS.port}`, 'private-key', join(folder, 'key'))
  } finally {
    rmSync(folder, { recursive: true })
  }
  await there.run('ip', 'address', 'add', `${THEIRS.overlay}/24`, 'dev', name)
  await there.run('ip', 'address', 'add', `${THEIRS.overlay6}/64`, 'dev', name, 'nodad')
  await there.run('ip', 'link', 'set', name, 'mtu', '1280', 'up')
  expect(daemon.ended).toBe(false)
  return name
}

function generateKeys(): Keys {
  const { privateKey } = generateKeyPairSync('x25519')
  const { x = '', d = '' } = privateKey.export({ format: 'jwk' })
  const base64 = (text: string): string => Buffer.from(text, 'base64url').toString('base64')
  return { publicKey: base64(x), privateKey: base64(d) }
}

/** Pings and returns how many answers came. */
async function ping(from: Namespace, to: string, count: number, ...more: string[]): Promise<number> {
  const { stdout } = await from.run('ping', '-c', `${count}`, '-i', '0.05', '-W', '2', ...more, to)
  return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0)
}

/** Runs iperf3 and returns the Mbit/s that arrived. */
async function iperf(server: Namespace, client: Namespace, to: string, ...more: string[]): Promise<number> {
  const daemon = server.start('iperf3', '-s', '-1', '--forceflush')
  await daemon.waitFor(/Server listening/)
  const { stdout } = await client.run('iperf3', '-c', to, '-t', '2', '-J', ...more)
  await daemon.stop()
  const report = JSON.parse(stdout) as { end: { sum_received: { bits_per_second: number } } }
  return report.end.sum_received.bits_per_second / 1e6
}

test('wireguard-go answers a handshake that we begin, and ping crosses by IPv4 and IPv6 (W2)', async ({
  lab,
}) => {
  const pair = await openPair(lab, { ourEndpoint: false, theirEndpoint: true })
  expect(await ping(pair.here, THEIRS.overlay, 10)).toBe(10)
  expect(await ping(pair.here, THEIRS.overlay6, 10)).toBe(10)
  expect(await ping(pair.there, OURS.overlay, 10)).toBe(10)
  expect(pair.handshakes()).toEqual(['ours'])
  expect(await pair.latestHandshake()).toBeGreaterThan(0)
})

test('we answer a handshake that wireguard-go begins, and large packets pass whole (W2)', async ({ lab }) => {
  const pair = await openPair(lab, { ourEndpoint: true, theirEndpoint: false })
  expect(await ping(pair.there, OURS.overlay, 10)).toBe(10)
  expect(await ping(pair.there, OURS.overlay6, 10)).toBe(10)
  expect(await ping(pair.there, OURS.overlay, 10, '-M', 'do', '-s', '1252')).toBe(10)
  expect(await ping(pair.here, THEIRS.overlay, 10, '-M', 'do', '-s', '1252')).toBe(10)
  expect(pair.handshakes()).toEqual(['theirs'])
})

test('TCP flows both ways', async ({ lab }) => {
  const pair = await openPair(lab, { ourEndpoint: true, theirEndpoint: true })
  await ping(pair.here, THEIRS.overlay, 1)
  const out = await iperf(pair.there, pair.here, THEIRS.overlay)
  const back = await iperf(pair.there, pair.here, THEIRS.overlay, '-R')
  console.log(`iperf3 with wireguard-go: ${out.toFixed(0)} Mbit/s to it, ${back.toFixed(0)} Mbit/s from it`)
  expect(out).toBeGreaterThan(5)
  expect(back).toBeGreaterThan(5)
})

test('a rekey that we begin after 120 seconds loses no packet (W9, W11)', async ({ lab }) => {
  const pair = await openPair(lab, { ourEndpoint: false, theirEndpoint: true })
  // wireguard-go takes initiations that follow each other within 20 ms for a flood.
  await ping(pair.here, THEIRS.overlay, 5)
  const pinging = ping(pair.here, THEIRS.overlay, 40)
  pair.node.send('age 121000')
  expect(await pinging).toBe(40)
  expect(pair.handshakes()).toEqual(['ours', 'ours'])
})

test('a new handshake that wireguard-go begins replaces the session, and traffic goes on both ways', async ({
  lab,
}) => {
  const pair = await openPair(lab, { ourEndpoint: true, theirEndpoint: true })
  await ping(pair.here, THEIRS.overlay, 1)
  await pair.removePeer()
  await pair.setPeer(true)
  expect(await ping(pair.there, OURS.overlay, 20)).toBe(20)
  expect(await ping(pair.here, THEIRS.overlay, 20)).toBe(20)
  expect(pair.handshakes()).toEqual(['ours', 'theirs'])
})
