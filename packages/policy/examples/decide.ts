import { compile, PacketFilter } from '@mesh/policy'
import { decodeIpPacket, encodeUdpPacket, type IpPacket, parseEndpoint } from '@mesh/wire/ip'

const nodes = [1, 2].map((id) => ({ id, user: 1, tags: [], addresses: [`100.64.0.${id}`], routes: [] }))
const compiled = compile({ kind: 'allow-all' }, nodes)
const first = compiled.forNode(1)!

// Control asks who sees whom, and why something may pass.
console.log(first.sees(2), first.sees(3)) // true false
console.log(first.verdict({ source: '100.64.0.2', destination: '100.64.0.1', protocol: 6, port: 22 }).allowed) // true

// The node enforces the rules on what comes out of the tunnel.
const filter = new PacketFilter()
filter.setRules(first.packetFilter)
filter.setLocalPrefixes(['100.64.0.1/32'])
const datagram = (to: string): IpPacket =>
  decodeIpPacket(encodeUdpPacket(parseEndpoint('100.64.0.2:4000')!, parseEndpoint(to)!, Uint8Array.of(1)))!
console.log(filter.toOverlay(datagram('100.64.0.1:53'))) // accept
console.log(filter.toOverlay(datagram('100.64.0.9:53'))) // not-local
