// Two relay regions in one process, each a relay over plain HTTP and a STUN server on an address of its own:
// `relays ADDRESS[,ADDRESS] ADDRESS[,ADDRESS]`, one for each relay, of either family. Two, because it takes two STUN servers to see that a NAT maps by destination.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRelay, listenStun } from '@mesh/derp-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { RELAY_PORT } from './site.ts'

for (const addresses of process.argv.slice(2)) {
  const relay = createRelay({ privateKey: generatePrivateKey(systemRandom) })
  for (const address of addresses.split(',')) {
    const server = createServer((request, response) => {
      if (!relay.handleRequest(request, response)) response.writeHead(404).end()
    })
    server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head))
    server.listen(RELAY_PORT, address)
    await once(server, 'listening')
    await listenStun({ address })
  }
}
console.log('listening')
process.on('SIGTERM', () => process.exit(0))
