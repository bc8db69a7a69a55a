import { once } from 'node:events'
import { createServer } from 'node:http'
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { createRelay } from '@mesh/derp-server/node'

// The relay listens nowhere by itself: it is mounted in a server that may do other things too.
const relay = createRelay({ privateKey: generatePrivateKey(systemRandom) })
const server = createServer((request, response) => {
  if (!relay.handleRequest(request, response)) response.writeHead(404).end()
})
server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head))
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const address = server.address()
if (address === null || typeof address === 'string') throw new TypeError('no port')
const answer = await fetch(`http://127.0.0.1:${address.port}/derp/probe`)
console.log(answer.status, relay.stats.connections) // 200 0

relay.close()
server.closeAllConnections()
server.close()
