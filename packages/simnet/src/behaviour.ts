// The words of RFC 4787 for what a NAT does.

/**
 * How a NAT treats different destinations (RFC 4787 sections 4.1 and 5): all alike, each address apart, or each
 * address and port apart.
 */
export type NatBehaviour = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent'

/**
 * How external ports are chosen (RFC 4787 section 4.2.1): at random; the inside one where it is free; or the inside one
 * even where another mapping has it, as long as the two talk to different endpoints. The last is what Linux does.
 */
export type PortChoice = 'random' | 'preserve' | 'overload'
