import { batchOf, createTunPair, decodePcap, packetsOf, tapToPcap } from '@mesh/tun'

// Two devices back to back: what one is given, the other hands to its sink.
const [near, far] = createTunPair({ mtu: 1280 })
far.onPackets((batch) => {
  // The batch is lent until this returns: copy what you keep.
  console.log(packetsOf(batch).map((packet) => packet.length))
})

// A tap copies everything that passes to a pcap stream, for Wireshark.
const capture: Uint8Array[] = []
const tapped = tapToPcap(near, { wallTime: () => 0, write: (bytes) => capture.push(bytes) })

const ping = new Uint8Array(84)
ping[0] = 0x45
console.log(tapped.write(batchOf([ping, new Uint8Array(2000)]))) // 1: the other is longer than the MTU
console.log(decodePcap(Uint8Array.from(capture.flatMap((part) => [...part])))?.records.length) // 2
await tapped.close()
