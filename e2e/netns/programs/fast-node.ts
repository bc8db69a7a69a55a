// A WireGuard node whose packets are moved by the Linux data plane: the same settings as wireguard-node.ts, and which bulk
// crypto and packet filter to use. Says what happens as lines of JSON; a line of input makes it tell its counters.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { nodeCrypto } from '@mesh/noise/node'
import { drive } from '@mesh/sansio'
import { systemClock } from '@mesh/sansio/node'
import { openOffloadTun } from '@mesh/tun/node'
import { type Endpoint, parseAddress, parsePrefix, type Prefix } from '@mesh/wire/ip'
import { packetOf, WireGuardDevice } from '@mesh/wireguard'
import { LinuxDataPlane } from '@mesh/wireguard/node'
import type { NodeSettings } from './wireguard-node.ts'

/** What the program is started with. */
export interface FastNodeSettings extends NodeSettings {
  readonly mtu?: number
  readonly aead?: 'wasm'
  /** A module that makes the packet filter. */
  readonly judge?: string
  /** What its judge is told. */
  readonly judgeMessage?: unknown
  /** How many threads move packets. */
  readonly threads?: 1 | 2
  /** Queues of the TUN, each with threads of its own. */
  readonly queues?: number
}

const PEER = 1
const input = createInterface(process.stdin)
const [firstLine] = (await once(input, 'line')) as [string]
const settings = JSON.parse(firstLine) as FastNodeSettings
const say = (line: object): void => console.log(JSON.stringify(line))

const { name, addresses, routes, mtu = 1_420, queues = 1 } = settings
const tun = await openOffloadTun({ name, addresses, routes, mtu, queues })
let path: Endpoint | undefined
const plane = new LinuxDataPlane({
  tun,
  port: settings.port,
  onEvent: say,
  ...(settings.aead ? { aead: settings.aead } : {}),
  ...(settings.threads === undefined ? {} : { threads: settings.threads }),
  ...(settings.judge ? { judge: { module: settings.judge, options: undefined } } : {}),
})
if (settings.judgeMessage !== undefined) plane.tellJudge(settings.judgeMessage)
const device = new WireGuardDevice({
  privateKey: Buffer.from(settings.privateKey, 'base64'),
  random: (length) => randomBytes(length),
  wallClock: () => Date.now(),
  crypto: nodeCrypto,
  mtu: tun.mtu,
  dataPlane: (outputs) =>
    plane.attach({
      ...outputs,
      onDatagrams: (batch, now) => {
        outputs.onDatagrams(batch, now)
        driver.wake()
      },
      onActivity: (peer, activity, now) => {
        outputs.onActivity(peer, activity, now)
        driver.wake()
      },
    }),
  outputs: {
    toOverlay: (batch) => plane.toHost(batch),
    toUnderlay: (_peer, batch) => {
      for (let i = 0; i < batch.count; i += 1) if (path) plane.sockets.send(packetOf(batch, i), path)
    },
    onSource: (_peer, source) => moveTo(plane.endpointOf(source)),
  },
})
const driver = drive(device, systemClock, say)

function moveTo(endpoint: Endpoint | undefined): void {
  if (endpoint === undefined) return
  path = endpoint
  plane.setPath(PEER, endpoint)
}

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new TypeError(`not a prefix: ${text}`)
  return parsed
}

async function close(): Promise<void> {
  driver.close()
  device.close()
  await plane.close()
  tun.close()
  process.exit(0)
}

const publicKey = Buffer.from(settings.peer.publicKey, 'base64')
device.setPeers(
  [{ id: PEER, publicKey, allowedIps: settings.peer.allowedIps.map(prefix) }],
  systemClock.now(),
)
const { endpoint } = settings.peer
if (endpoint) moveTo({ address: parseAddress(endpoint.address) ?? new Uint8Array(4), port: endpoint.port })
driver.wake()
input.on('line', () => {
  say({ kind: 'status', ...device.counters(), ...plane.losses, peer: device.peerCounters(PEER) })
})
process.on('SIGTERM', () => void close())
say({ kind: 'ready', offloads: tun.offloads })
