// Ours in the shape of wireguard-go's command line, so that whatever starts and steers that can start and steer this:
// `wireguard [-f] NAME` makes the interface and serves its UAPI, and without `-f` goes on in the background. `MESH_FILLING`
// chooses who moves the packets, `linux` or `portable`. A line `rekey` of input begins a handshake with every peer.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { openOffloadTun, openTun } from '@mesh/tun/node'
import { openWireGuard, serveUapi } from '@mesh/wireguard/node'
import { formatKey } from '@mesh/wireguard/plain'

const MTU = 1420
const args = process.argv.slice(2)
const foreground = args[0] === '-f'
const name = args.at(-1) ?? 'wg0'
const say = (line: object): void => console.log(JSON.stringify(line))

async function serve(): Promise<void> {
  const portable = process.env['MESH_FILLING'] === 'portable'
  const tun = await (portable ? openTun : openOffloadTun)({ name, mtu: MTU })
  const node = await openWireGuard({ tun, onEvent: hear })
  const uapi = await serveUapi(node, name)
  const close = async (): Promise<void> => {
    await uapi.close()
    await node.close()
    await tun.close()
    process.exit(0)
  }
  /** An interface that is deleted takes its program with it. */
  function hear(event: { readonly event: string }): void {
    say(event)
    if (event.event === 'tun-lost') void close()
  }
  process.on('SIGTERM', () => void close())
  if ('closed' in tun) void tun.closed.then(close)
  createInterface(process.stdin).on('line', (line) => {
    if (line === 'rekey') for (const { publicKey } of node.status().peers) node.rekey(formatKey(publicKey))
    if (line === 'status')
      say({
        event: 'status',
        memory: process.memoryUsage(),
        ...node.device.counters(),
        losses: node.losses,
        handshakes: node.device.handshakeDrops,
      })
  })
  say({ event: 'serving', name })
  if (!process.connected) return
  process.send?.('serving')
  process.disconnect?.()
}

/** Starts the same in the background, and ends once it serves. */
function detach(): void {
  const flags = [...process.execArgv, fileURLToPath(import.meta.url), '-f', name]
  // Its lines go nowhere: a pipe would end with this process, and the next line would end that one.
  const child = spawn(process.execPath, flags, {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  child.once('message', () => process.exit(0))
  child.once('exit', (code) => process.exit(code ?? 1))
}

if (foreground) await serve()
else detach()
