import { drain, seededRandom } from '@mesh/sansio'
import { parseAddress } from '@mesh/wire/ip'
import { Netstack } from '@mesh/netstack'

const [a, b] = [parseAddress('100.64.0.1'), parseAddress('100.64.0.2')]
if (a === undefined || b === undefined) throw new TypeError('not an address')

// Two hosts without a kernel. In a program, `random` is systemRandom of @mesh/sansio/node.
const left = new Netstack({ addresses: [a], random: seededRandom(1) })
const right = new Netstack({ addresses: [b], random: seededRandom(2) })

left.ping(b, 0)

// One input, then drain: the packets go to the other host, here after 10 milliseconds each way.
for (const output of drain(left)) if (output.kind === 'packet') right.handlePacket(output.packet, 10)
for (const output of drain(right)) if (output.kind === 'packet') left.handlePacket(output.packet, 20)

for (const output of drain(left)) if (output.kind === 'pong') console.log(output.latency) // 20
