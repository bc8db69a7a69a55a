/**
 * A packet device: the kernel's TUN on Linux by `node:ffi`, an in-memory pair, and a tap that writes what passes to a
 * pcap stream. Packets cross in batches, through one lent buffer.
 *
 * @packageDocumentation
 */
export { TunError, type TunErrorCode } from './errors.ts'
export { batchOf, type PacketBatch, type PacketSink, packetAt, packetsOf } from './packet-batch.ts'
export { type PcapTapOptions, tapToPcap } from './pcap-tap.ts'
export {
  encodePcapHeader,
  encodePcapRecord,
  decodePcap,
  LINKTYPE_RAW,
  type PcapFile,
  type PcapRecord,
} from './pcap.ts'
export type { TunCounters, TunDevice } from './tun-device.ts'
export { createTunPair, DEFAULT_MTU, MAX_PACKET, type TunPairOptions } from './tun-pair.ts'
