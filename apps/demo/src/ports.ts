// The ports of the control server and the relay: the same at each start where they are free, so that what nodes
// remember stays true.
import { createSocket } from 'node:dgram'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** Ports that the servers of a local mesh listen on. */
export interface Ports {
  /** The control server's TCP port. */
  readonly control: number
  /** The relay's TCP port. */
  readonly relay: number
  /** The relay's UDP port for STUN. */
  readonly stun: number
}

/** Returns the remembered ports, with a free one for each that is taken now, and remembers them in `file`. */
export async function choosePorts(file: string, host: string): Promise<Ports> {
  const known = remembered(file)
  const ports: Ports = {
    control: await freeTcp(host, known.control ?? 0),
    relay: await freeTcp(host, known.relay ?? 0),
    stun: await freeUdp(host, known.stun ?? 0),
  }
  writeFileSync(file, `${JSON.stringify(ports)}\n`)
  return ports
}

function remembered(file: string): Partial<Ports> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<Ports>
  } catch {
    return {}
  }
}

/** Returns `wanted` when it can be listened on, else another. */
function freeTcp(host: string, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => (wanted === 0 ? reject(error) : resolve(freeTcp(host, 0))))
    server.listen(wanted, host, () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

function freeUdp(host: string, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', (error) => (wanted === 0 ? reject(error) : resolve(freeUdp(host, 0))))
    socket.bind(wanted, host, () => {
      const { port } = socket.address()
      socket.close(() => resolve(port))
    })
  })
}
