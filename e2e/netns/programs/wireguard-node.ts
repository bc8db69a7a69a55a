// A WireGuard node and nothing else: our device between a TUN and a UDP socket. Its settings are its first line of
// input, in JSON, because an argument would show the private key to everybody on the machine. It says what happens as
// lines of JSON, and listens to `age MILLISECONDS`, which makes it that much older at once, so that a test need not
// wait two minutes for a rekey.
import { createSocket } from 'node:dgram'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { nodeCrypto } from '@mesh/noise/node'
import { openTun } from '@mesh/tun/node'
import { parsePrefix, type Prefix } from '@mesh/wire/ip'
import { packetOf, WireGuardDevice } from '@mesh/wireguard'

/** What the program is started with. Keys are in base64. */
export interface NodeSettings {
  readonly name: string
  readonly addresses: readonly string[]
  readonly routes: readonly string[]
  readonly privateKey: string
  readonly port: number
  readonly peer: {
    readonly publicKey: string
    readonly allowedIps: readonly string[]
    readonly endpoint?: { readonly address: string; readonly port: number }
  }
}

const PEER = 1
const input = createInterface(process.stdin)
const [firstLine] = (await once(input, 'line')) as [string]
const settings = JSON.parse(firstLine) as NodeSettings
const say = (line: object): void => console.log(JSON.stringify(line))

let older = 0
const now = (): number => performance.now() + older
let timer: NodeJS.Timeout | undefined

const tun = await openTun({ name: settings.name, addresses: settings.addresses, routes: settings.routes })
const socket = createSocket('udp4')
let path = settings.peer.endpoint
const sources: { readonly address: string; readonly port: number }[] = []

const device = new WireGuardDevice({
  privateKey: Buffer.from(settings.privateKey, 'base64'),
  random: (length) => randomBytes(length),
  wallClock: () => Date.now(),
  crypto: nodeCrypto,
  mtu: tun.mtu,
  outputs: {
    toOverlay: (batch) => void tun.write(batch),
    toUnderlay: (_peer, batch) => {
      if (path === undefined) return
      // The batch is lent and the socket sends later: each datagram is copied.
      for (let index = 0; index < batch.count; index++) {
        socket.send(packetOf(batch, index).slice(), path.port, path.address)
      }
    },
    onSource: (_peer, source) => {
      path = sources[source] ?? path
    },
  },
})

/** Says what happened and sets the timer anew. To be called after every input. */
function wake(): void {
  for (let event = device.poll(); event !== undefined; event = device.poll()) say(event)
  clearTimeout(timer)
  const at = device.pollTimeout()
  if (at !== Infinity) timer = setTimeout(handleTimeout, Math.max(0, at - now()))
}

function handleTimeout(): void {
  device.handleTimeout(now())
  wake()
}

function handleLine(line: string): void {
  const [verb, value] = line.split(' ')
  if (verb === 'age') older += Number(value)
  handleTimeout()
  say({ kind: 'status', ...device.counters(), peer: device.peerCounters(PEER) })
}

async function close(): Promise<void> {
  clearTimeout(timer)
  socket.close()
  device.close()
  await tun.close()
  process.exit(0)
}

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new TypeError(`not a prefix: ${text}`)
  return parsed
}

const publicKey = Buffer.from(settings.peer.publicKey, 'base64')
device.setPeers([{ id: PEER, publicKey, allowedIps: settings.peer.allowedIps.map(prefix) }], now())
socket.on('error', (error) => say({ kind: 'socket-error', message: error.message }))
socket.on('message', (datagram, from) => {
  const known = sources.findIndex(({ address, port }) => address === from.address && port === from.port)
  const source = known < 0 ? sources.push({ address: from.address, port: from.port }) - 1 : known
  device.handleDatagram(datagram, source, now())
  wake()
})
tun.onPackets((batch) => {
  device.fromOverlay(batch, now())
  wake()
})
input.on('line', handleLine)
process.on('SIGTERM', () => void close())
socket.bind(settings.port, () => say({ kind: 'ready' }))
