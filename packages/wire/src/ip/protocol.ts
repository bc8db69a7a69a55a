// IP protocol numbers (IANA) that the data plane knows by name.

/** ICMP for IPv4. */
export const PROTOCOL_ICMP = 1
/** IGMP. */
export const PROTOCOL_IGMP = 2
/** TCP. */
export const PROTOCOL_TCP = 6
/** UDP. */
export const PROTOCOL_UDP = 17
/** The IPv6 fragment header. */
export const PROTOCOL_IPV6_FRAGMENT = 44
/** ICMP for IPv6. */
export const PROTOCOL_ICMPV6 = 58
/** TSMP, the messages of one node's daemon to another's; see `@mesh/wire/tsmp`. */
export const PROTOCOL_TSMP = 99
/** SCTP. */
export const PROTOCOL_SCTP = 132
