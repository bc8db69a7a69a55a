// Sends datagrams to itself over its loopback, allowed to be cut up and not, and says of each by its family and size how it
// went: `arrived`, or the system's name for why not.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlaneSockets } from '@mesh/wireguard/node'
import { parseAddress } from '@mesh/wire/ip'

const sockets = new PlaneSockets(0, {}, 1, () => Promise.resolve())
const said = new Map<string, string>()
let asked = ''
sockets.listen({
  onDatagram: () => undefined,
  onTrouble: ({ code }) => said.set(asked, code),
})

for (const [type, text] of [
  ['udp4', '127.0.0.1'],
  ['udp6', '::1'],
] as const) {
  const far = createSocket(type)
  far.on('message', () => said.set(asked, 'arrived'))
  far.bind(0, text)
  await once(far, 'listening')
  for (const whole of [false, true, false]) {
    if (!sockets.setDontFragment(whole)) throw new Error('the kernel refuses')
    if (whole) await sockets.rebind()
    for (const size of [1_400, 3_000]) {
      asked = `${type} ${whole ? 'whole' : 'in pieces'} ${size}`
      said.set(asked, 'lost')
      sockets.send(new Uint8Array(size), { address: parseAddress(text)!, port: far.address().port })
      await sleep(100)
    }
  }
  far.close()
}
await sockets.close()
console.log(JSON.stringify(Object.fromEntries(said)))
process.exit(0)
