import { MeshNode } from '@mesh/net/node'

const controlUrl = process.env['CONTROL_URL'] ?? 'http://127.0.0.1:8080'
const authKey = process.env['MESH_AUTHKEY'] ?? ''

// Two nodes in one process, which share nothing but the mesh. No root, no interface.
await using server = await MeshNode.join({ controlUrl, authKey, hostname: 'server', allowLoopback: true })
await using client = await MeshNode.join({ controlUrl, authKey, hostname: 'client', allowLoopback: true })

// The server answers on UDP port 7 of its mesh address.
const echo = server.listenUdp(7, ({ data, address, port }) => echo.send(data, address, port))

// The client finds it by its name, and speaks to it through WireGuard.
const [address = ''] = client.resolve('server') ?? []
const { Err } = await client.ping('server', { type: 'ICMP' })
const answer = new Promise<string>((resolve) => {
  const socket = client.listenUdp(0, ({ data }) => resolve(new TextDecoder().decode(data)))
  socket.send(new TextEncoder().encode('hello'), address, 7)
})
console.log(Err || `server answers: ${await answer}`)
