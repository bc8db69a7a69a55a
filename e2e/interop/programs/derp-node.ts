// A relay client to be told what to do: `derp-node OPTIONS`, where OPTIONS are those of connectDerp in JSON. It prints
// its key, events and packets, one a line, and takes `send KEY TEXT` and `ping` on standard input.
import { createInterface } from 'node:readline'
import { connectDerp, type DerpConnectionOptions } from '@mesh/derp-client/node'
import { formatHexKey, generatePrivateKey, parseHexKey, publicKeyOf } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'

const privateKey = generatePrivateKey(systemRandom)
const options = JSON.parse(process.argv[2] ?? '{}') as Omit<DerpConnectionOptions, 'privateKey'>
const connection = connectDerp({ ...options, privateKey })

connection.onEvent((event) => {
  switch (event.event) {
    case 'disconnected':
      return console.log(`disconnected ${event.error.code} ${event.error.message}`)
    case 'peer-gone':
      return console.log(`gone ${formatHexKey(event.nodeKey)} ${event.reason}`)
    default:
      return console.log(event.event)
  }
})
connection.onPacket((source, packet) => {
  console.log(`packet ${formatHexKey(new Uint8Array(source))} ${new TextDecoder().decode(packet)}`)
})
createInterface({ input: process.stdin }).on('line', (line) => {
  const [verb, hex = '', text = ''] = line.split(' ')
  const key = parseHexKey(hex)
  if (verb === 'ping') connection.ping()
  if (verb === 'send' && key !== undefined) connection.send(key, new TextEncoder().encode(text))
})
process.on('SIGTERM', () => process.exit(0))
console.log(`key ${formatHexKey(publicKeyOf(privateKey))}`)
