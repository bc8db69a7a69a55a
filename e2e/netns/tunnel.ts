// A WireGuard tunnel between two namespaces: each end is one of our fillings of the data plane, or another program that
// `wg` can steer, such as wireguard-go. Tests and benchmarks share it.
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually, type Lab, type Namespace, type Started } from './lab.ts'
import type { FastNodeSettings } from './programs/fast-node.ts'

/** Who moves the packets of an end: a filling of ours, or the program at a path. */
export type TunnelFilling = 'linux' | 'linux-wasm' | 'portable' | { readonly program: string }

/** How a tunnel is opened. */
export interface TunnelOptions {
  /** 1420 when left out. */
  readonly mtu?: number
  /** A module with a packet filter for the ends that have a packet thread, and what its judge is told. */
  readonly judge?: string
  readonly judgeMessage?: unknown
  /** What the second end knows the first by in place of 1, the last number of its addresses; then only the first has the judge. */
  readonly knownAs?: number
  /** How many threads move the packets of a queue of such an end, and how many queues its TUN has. */
  readonly threads?: 1 | 2
  readonly queues?: number
  /** A folder with our programs as one bundle each, to be run instead of their sources. */
  readonly programs?: URL
}

/** One end of a tunnel. */
export interface TunnelEnd {
  readonly namespace: Namespace
  readonly process: Started
  /** Its addresses inside the tunnel. */
  readonly overlay: string
  readonly overlay6: string
  /** The interface. */
  readonly name: string
}

interface Keys {
  readonly publicKey: string
  readonly privateKey: string
}

const PORT = 51_820
let opened = 0

/** Opens both ends and waits until a ping crosses. */
export async function openTunnel(
  lab: Lab,
  fillings: readonly [TunnelFilling, TunnelFilling],
  options: TunnelOptions = {},
): Promise<readonly [TunnelEnd, TunnelEnd]> {
  opened += 1
  const namespaces = [await lab.namespace(`t${opened}a`), await lab.namespace(`t${opened}b`)] as const
  await lab.cable(namespaces[0], '192.0.2.1/24', namespaces[1], '192.0.2.2/24')
  const keys = [generateKeys(), generateKeys()] as const
  const { knownAs, ...first } = options
  const { judge: _, ...unjudged } = first
  const second = knownAs === undefined ? first : unjudged
  const ends = [
    await openEnd(namespaces[0], fillings[0], [1, 2], keys[0], keys[1].publicKey, first),
    await openEnd(namespaces[1], fillings[1], [2, knownAs ?? 1], keys[1], keys[0].publicKey, second),
  ] as const
  await eventually('a ping through the tunnel', async () => {
    const args = ['-c', '1', '-W', '1', ends[1].overlay]
    return namespaces[0].run('ping', ...args).catch(() => undefined)
  })
  return ends
}

async function openEnd(
  namespace: Namespace,
  filling: TunnelFilling,
  [side, far]: readonly [own: 1 | 2, other: number],
  keys: Keys,
  theirKey: string,
  { mtu = 1_420, judge, judgeMessage, threads, queues, programs }: Omit<TunnelOptions, 'knownAs'>,
): Promise<TunnelEnd> {
  const name = `tun${process.pid % 10_000}x${opened}${side}`
  const end = { namespace, name, overlay: `10.9.0.${side}`, overlay6: `fd00:9::${side}` }
  const underlay = `192.0.2.${3 - side}`
  if (typeof filling === 'object') {
    const started = await startPeer(end, filling.program, keys, theirKey, far, underlay, mtu)
    return { ...end, process: started }
  }
  const settings: FastNodeSettings = {
    name,
    mtu,
    addresses: [`${end.overlay}/24`, `${end.overlay6}/64`],
    routes: [],
    privateKey: keys.privateKey,
    port: PORT,
    peer: {
      publicKey: theirKey,
      allowedIps: [`10.9.0.${far}/32`, `fd00:9::${far}/128`],
      endpoint: { address: underlay, port: PORT },
    },
    ...(filling === 'linux-wasm' ? { aead: 'wasm' } : {}),
    ...(judge === undefined ? {} : { judge, judgeMessage }),
    ...(threads === undefined ? {} : { threads }),
    ...(queues === undefined ? {} : { queues }),
  }
  const program = filling === 'portable' ? 'wireguard-node' : 'fast-node'
  const file =
    programs === undefined
      ? new URL(`programs/${program}.ts`, import.meta.url)
      : new URL(`${program}.js`, programs)
  const started = namespace.startNode(file)
  started.send(JSON.stringify(settings))
  await started.waitFor(/"ready"/)
  return { ...end, process: started }
}

/** Starts a program with wireguard-go's command line, and gives it its key by `wg`. */
async function startPeer(
  { namespace, name, overlay, overlay6 }: Omit<TunnelEnd, 'process'>,
  program: string,
  keys: Keys,
  theirKey: string,
  far: number,
  underlay: string,
  mtu: number,
): Promise<Started> {
  const started = namespace.start(program, '-f', name)
  await eventually(
    `${program} to listen`,
    async () => existsSync(`/var/run/wireguard/${name}.sock`) || undefined,
  )
  const folder = mkdtempSync(join(tmpdir(), 'mesh-tunnel-'))
  try {
    writeFileSync(join(folder, 'key'), `${keys.privateKey}\n`, { mode: 0o600 })
    const own = ['listen-port', `${PORT}`, 'private-key', join(folder, 'key')]
    const allowed = ['allowed-ips', `10.9.0.${far}/32,fd00:9::${far}/128`]
    const peer = ['peer', theirKey, 'endpoint', `${underlay}:${PORT}`, ...allowed]
    await namespace.run('wg', 'set', name, ...own, ...peer)
  } finally {
    rmSync(folder, { recursive: true })
  }
  await namespace.run('ip', 'address', 'add', `${overlay}/24`, 'dev', name)
  await namespace.run('ip', 'address', 'add', `${overlay6}/64`, 'dev', name, 'nodad')
  await namespace.run('ip', 'link', 'set', name, 'mtu', `${mtu}`, 'up')
  return started
}

function generateKeys(): Keys {
  const { privateKey } = generateKeyPairSync('x25519')
  const { x = '', d = '' } = privateKey.export({ format: 'jwk' })
  const base64 = (text: string): string => Buffer.from(text, 'base64url').toString('base64')
  return { publicKey: base64(x), privateKey: base64(d) }
}

/** What iperf3 found. */
export interface IperfResult {
  /** Gbit/s that arrived. */
  readonly gbits: number
  /** Datagrams that arrived each second, for UDP. */
  readonly packets: number
}

/** Runs iperf3 from one end to the other. */
export async function iperf(
  from: TunnelEnd,
  to: TunnelEnd,
  seconds: number,
  ...more: readonly string[]
): Promise<IperfResult> {
  const server = to.namespace.start('iperf3', '-s', '-1', '--forceflush')
  await server.waitFor(/Server listening/)
  const overlay = more.includes('-6') ? to.overlay6 : to.overlay
  const { stdout } = await from.namespace.run('iperf3', '-c', overlay, '-t', `${seconds}`, '-J', ...more)
  await server.stop()
  const { end } = JSON.parse(stdout) as {
    end: {
      sum_received?: { bits_per_second: number }
      sum?: { packets?: number; lost_packets?: number; seconds: number }
    }
  }
  const { packets = 0, lost_packets: lost = 0, seconds: taken = seconds } = end.sum ?? {}
  return { gbits: (end.sum_received?.bits_per_second ?? 0) / 1e9, packets: (packets - lost) / taken }
}

/**
 * Pings from one end to the other and returns the round trips in milliseconds of the first `count`, those that came back.
 * With a deadline `ping` is as patient as that; without, it gives up two round trips after the last request.
 */
export async function pingTimes(
  from: TunnelEnd,
  to: string,
  count: number,
  ...more: readonly string[]
): Promise<number[]> {
  const args = ['-c', `${count}`, '-i', '0.02', '-w', '5', ...more, to]
  const { stdout } = await from.namespace.run('ping', ...args)
  const answers = Array.from(stdout.matchAll(/icmp_seq=(\d+) .*time=([\d.]+) ms/g))
  return answers.filter(([, sequence]) => Number(sequence) <= count).map(([, , time]) => Number(time))
}
