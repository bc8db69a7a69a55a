import { SimNet } from '@mesh/simnet'
import { type Endpoint, formatEndpoint } from '@mesh/wire/ip'
import { decodeBindingResponse, encodeBindingRequest } from '@mesh/wire/stun'

const net = new SimNet({ seed: 7 })
const stun = net.stunServer()
const alice = net.host({ behind: net.nat({ ports: 'preserve' }), link: { latency: 20 } }).socket(41641)
const bob = net.host({ behind: net.nat({ ports: 'preserve' }), link: { latency: 20 } }).socket(41641)

// Each asks what it looks like from outside; the clock is turned until the answers are there.
const seen = new Map<typeof alice, Endpoint>()
for (const socket of [alice, bob]) {
  socket.onDatagram = (bytes) => {
    const response = decodeBindingResponse(bytes)
    if (response) seen.set(socket, response.observed)
  }
  socket.send(stun, encodeBindingRequest(net.random(12)))
}
net.clock.advanceBy(1000)

// Told each other's endpoint, both send at once: each NAT takes the other's datagram for an answer.
alice.onDatagram = (bytes, from, now) =>
  console.log(`alice: ${bytes.length} byte from ${formatEndpoint(from)} at ${now}`)
bob.onDatagram = (bytes, from, now) =>
  console.log(`bob: ${bytes.length} byte from ${formatEndpoint(from)} at ${now}`)
const [endpointA, endpointB] = [seen.get(alice), seen.get(bob)]
if (endpointA && endpointB) {
  alice.send(endpointB, Uint8Array.of(1))
  bob.send(endpointA, Uint8Array.of(1))
  net.clock.advanceBy(1000) // bob: 1 byte from 203.0.113.2:41641 at 1050, and alice likewise
}
