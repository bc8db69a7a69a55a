import { generatePrivateKey } from '@mesh/keys'
import { drain } from '@mesh/sansio'
import { systemRandom } from '@mesh/sansio/node'
import { DerpClient } from '@mesh/derp-client'

// The machine has no socket and no clock: it says what it wants, and is told what happened and when.
const privateKey = generatePrivateKey(systemRandom)
const client = new DerpClient({ privateKey, random: systemRandom }, 0)
console.log(drain(client)[0]?.kind) // dial

// A packet may be sent at once; it waits for the connection.
client.send(new Uint8Array(32), Uint8Array.of(1, 2, 3), 1)

// Nobody answers in ten seconds: it gives the attempt up, and says so.
client.handleTimeout(10_000)
for (const output of drain(client)) {
  console.log(output.kind === 'event' && output.event === 'disconnected' ? output.error.code : output.kind)
} // hang-up, ERR_DERP_CONNECT_TIMEOUT
