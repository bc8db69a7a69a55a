// What an ICMP error is about: the headers it quotes of the packet that could not be delivered. The quote may be cut
// anywhere after the first 8 bytes of the transport, so lengths and checksums in it count for nothing.
import {
  type IpAddress,
  IPV4_HEADER_LENGTH,
  IPV6_HEADER_LENGTH,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_UDP,
} from '@mesh/wire/ip'

/** The flow of a quoted packet; addresses are views. */
export type QuotedFlow = { readonly source: IpAddress; readonly destination: IpAddress } & (
  | { readonly kind: 'udp'; readonly sourcePort: number; readonly destinationPort: number }
  | { readonly kind: 'echo'; readonly identifier: number; readonly sequence: number }
)

/** How much of the transport every error quotes (RFC 792). */
const QUOTED_TRANSPORT = 8

/** Returns the flow of a quoted packet, or `undefined` when it is cut too short or of another protocol. */
export function quotedFlow(quote: Uint8Array): QuotedFlow | undefined {
  const version = (quote[0] ?? 0) >> 4
  const headerLength = version === 4 ? ((quote[0] ?? 0) & 15) * 4 : IPV6_HEADER_LENGTH
  const longEnough = headerLength >= IPV4_HEADER_LENGTH && quote.length >= headerLength + QUOTED_TRANSPORT
  if ((version !== 4 && version !== 6) || !longEnough) return undefined
  const view = new DataView(quote.buffer, quote.byteOffset, quote.byteLength)
  const source = version === 4 ? quote.subarray(12, 16) : quote.subarray(8, 24)
  const destination = version === 4 ? quote.subarray(16, 20) : quote.subarray(24, 40)
  const protocol = version === 4 ? quote[9] : quote[6]
  const word = (at: number): number => view.getUint16(headerLength + at)
  if (protocol === PROTOCOL_UDP) {
    return { kind: 'udp', source, destination, sourcePort: word(0), destinationPort: word(2) }
  }
  if (protocol === (version === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6)) {
    return { kind: 'echo', source, destination, identifier: word(4), sequence: word(6) }
  }
  return undefined
}
