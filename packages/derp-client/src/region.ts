// The part of a DERP map that a client reads: regions and their nodes, with the field names the map has in
// JSON (data-plane §2.15).

/** One relay machine of a region, as the DERP map writes it. */
export interface RelayNode {
  /** The node's unique name in the map; sent as `Ideal-Node` to the others of its region. */
  readonly Name: string
  /** The name or address to dial, to ask for in TLS, and to verify unless `CertName` says otherwise. */
  readonly HostName: string
  /** The name to verify instead of `HostName`, or `sha256-raw:` and the hex SHA-256 of the only certificate. */
  readonly CertName?: string
  /** An IPv4 address to dial; empty means ask DNS, anything that is not an address means never by IPv4. */
  readonly IPv4?: string
  /** An IPv6 address to dial; empty means ask DNS, anything that is not an address means never by IPv6. */
  readonly IPv6?: string
  /** The node answers STUN only and is never dialled. */
  readonly STUNOnly?: boolean
  /** The TCP port; 0 or absent means 443, or 3340 when dialled without TLS. */
  readonly DERPPort?: number
  /** Certificates are not verified at all, and a node that turns out to speak plain HTTP is taken as it is. */
  readonly InsecureForTests?: boolean
}

/** One region of the DERP map: nodes that share their clients, in the order in which to dial them. */
export interface RelayRegion {
  /** The region's number. */
  readonly RegionID: number
  /** Its nodes, first choice first; absent is an empty list. */
  readonly Nodes?: readonly RelayNode[]
}
