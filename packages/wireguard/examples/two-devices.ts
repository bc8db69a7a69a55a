import { encodeIpPacket, parseAddress, parsePrefix } from '@mesh/wire/ip'
import { packetOf, WireGuardDevice } from '@mesh/wireguard'

const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))

/** A device that hands its datagrams to `send` and shows the packets it receives. */
function device(name: string, send: (datagram: Uint8Array) => void): WireGuardDevice {
  return new WireGuardDevice({
    privateKey: random(32),
    random,
    wallClock: () => Date.now(),
    outputs: {
      toUnderlay: (_peer, batch) => {
        for (let i = 0; i < batch.count; i += 1) send(packetOf(batch, i).slice())
      },
      toOverlay: (batch) => {
        for (let i = 0; i < batch.count; i += 1) console.log(`${name} has ${batch.lengths[i]} bytes`)
      },
    },
  })
}

// The network between them is two arrays; in a program, a UDP socket.
const toAlice: Uint8Array[] = []
const toBob: Uint8Array[] = []
const alice = device('alice', (datagram) => toBob.push(datagram))
const bob = device('bob', (datagram) => toAlice.push(datagram))

const source = parseAddress('10.0.0.1')
const destination = parseAddress('10.0.0.2')
const everything = parsePrefix('10.0.0.0/24')
if (!source || !destination || !everything) throw new Error('an address does not read')
alice.setPeers([{ id: 1, publicKey: bob.publicKey, allowedIps: [everything] }], 0)
bob.setPeers([{ id: 1, publicKey: alice.publicKey, allowedIps: [everything] }], 0)

// Alice's overlay sends a packet; it waits inside the device while the two shake hands.
alice.handlePacket(encodeIpPacket({ source, destination, protocol: 17 }, new Uint8Array(80)), 0)
while (toAlice.length + toBob.length > 0) {
  for (const datagram of toBob.splice(0)) bob.handleDatagram(datagram, 0, 0)
  for (const datagram of toAlice.splice(0)) alice.handleDatagram(datagram, 0, 0)
}
console.log(alice.poll()?.event, bob.poll()?.event) // established established

// From here on: after every input, call handleTimeout(now) when pollTimeout() says so.
console.log(alice.pollTimeout() < Infinity) // true
