import { createServer, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { MeshNode } from '@mesh/net/node'

const controlUrl = process.env['CONTROL_URL'] ?? 'http://127.0.0.1:8080'
const authKey = process.env['MESH_AUTHKEY'] ?? ''

// Two nodes in one process, which share nothing but the mesh. No root, no interface.
await using bob = await MeshNode.join({ controlUrl, authKey, hostname: 'bob', allowLoopback: true })
await using alice = await MeshNode.join({ controlUrl, authKey, hostname: 'alice', allowLoopback: true })

// Bob serves HTTP on his mesh address.
const server = createServer((_query, answer) => answer.end('hello from bob'))
bob.listen(80, (stream) => server.emit('connection', stream))

// Alice finds him by name, and speaks to him through WireGuard.
await alice.ping('bob', { type: 'ICMP' })
const stream = await alice.dial('bob', 80)
const answer = await new Promise<string>((resolve, reject) => {
  const call = request({ createConnection: () => stream }, (response) => resolve(text(response)))
  call.on('error', reject).end()
})
console.log(answer)
