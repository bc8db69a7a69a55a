// What an owner of a node can ask of it: the daemon asks over its socket, a program in its own process.
import type { ControlQuestion } from '@mesh/control-client'
import type { DERPMap, Node, UserProfile } from '@mesh/wire/control'
import type { NetcheckReport, PathReport, PingResult, PingType, Status } from './status.ts'

/** Something that happened to a node. */
export type NodeEvent =
  /** The state or the map changed: ask {@link MeshNodeApi.status}. */
  | { readonly kind: 'status' }
  /** The control server wants a person to visit this address. */
  | { readonly kind: 'auth-url'; readonly url: string }
  /** Something failed that the node tries again by itself; one sentence. */
  | { readonly kind: 'trouble'; readonly message: string; readonly code: string }

/** One datagram that arrived at a port of the user-space stack. */
export interface MeshDatagram {
  /** The payload; the receiver may keep it. */
  readonly data: Uint8Array
  /** Mesh address of the sender. */
  readonly address: string
  /** Port of the sender. */
  readonly port: number
}

/** An open UDP port of the user-space stack. */
export interface MeshUdpSocket {
  /** The local port. */
  readonly port: number
  /** Sends one datagram to a mesh address. */
  send(data: Uint8Array, address: string, port: number): void
  /** Closes the port; closing twice is harmless. */
  close(): void
}

/** A TCP port of the user-space stack that accepts connections. */
export interface MeshListener {
  /** The local port. */
  readonly port: number
  /** Accepts no more; what was accepted stays. Closing twice is harmless. */
  close(): void
}

/** How a ping is to go. */
export interface PingOptions {
  /** Which kind; `disco` when left out. */
  readonly type?: PingType
  /** For `disco`: every way that may work, or the peer's relay alone. `any` when left out. */
  readonly over?: 'any' | 'relay'
  /** For `disco`: bytes of the packet, to see whether such a one passes; at most 65 475. As small as can be when left out. */
  readonly size?: number
  /** How long to wait, in milliseconds; ten seconds when left out. */
  readonly timeoutMs?: number
}

/** Who is behind an address. */
export interface WhoIs {
  /** The node as control described it, and its name for people. */
  readonly node: Node & { readonly ComputedName: string }
  /** Its owner; without a name when control told none. */
  readonly user: UserProfile
}

/** A node of the mesh, running. */
export interface MeshNodeApi {
  /** This node's mesh addresses as text, IPv4 first; empty before the first map. */
  readonly addresses: readonly string[]
  /** Resolves when the node has its addresses and its first map; rejects when it cannot come so far. */
  readonly ready: Promise<void>
  /** The relays as control described them, once there is a map. */
  readonly derpMap: DERPMap | undefined
  /** Returns whose a mesh address or a node key (as text) is, or `undefined` when it is nobody's. */
  whois(addressOrKey: string): WhoIs | undefined
  /** Tells control another name to go by. */
  setHostname(hostname: string): void
  /** Relays between peers on this UDP port from now on; 0 for any, `undefined` for not at all. */
  setRelayServerPort(port: number | undefined): void
  /** Returns the node's whole status, without the version, which the owner knows. */
  status(): Omit<Status, 'Version'>
  /** Looks at the network it sits in anew, and returns what it found out. */
  netcheck(): Promise<NetcheckReport>
  /**
   * Returns why a peer, named by mesh address or by name, has the path it has, and what would make it direct.
   *
   * @throws NetError `ERR_NO_PEER` when nobody has that name or address, or it is this node.
   */
  explain(target: string): PathReport
  /**
   * Asks a peer, named by mesh address or by name, for an answer.
   *
   * @throws NetError `ERR_NO_PEER` when nobody has that name or address; RangeError for a size that no packet can have.
   */
  ping(target: string, options?: PingOptions): Promise<PingResult>
  /**
   * Asks control something small in the node's name, and returns the JSON document that it answers.
   *
   * @throws NetError `ERR_CONTROL_UNREACHABLE` while the node is not connected, `ERR_REFUSED` with control's words.
   */
  askControl(question: ControlQuestion): Promise<unknown>
  /** Returns the mesh addresses of a name (short or full), or `undefined` when nobody has it. */
  resolve(name: string): readonly string[] | undefined
  /**
   * Opens a UDP port in the user-space stack; port 0 picks one.
   *
   * @throws NetError `ERR_PORT_IN_USE` or `ERR_CLOSED`; TypeError on a node with a kernel device, where the kernel has the ports.
   */
  listenUdp(port: number, onDatagram: (datagram: MeshDatagram) => void): MeshUdpSocket
  /** Calls `listener` for every event; returns the function that ends it. */
  on(listener: (event: NodeEvent) => void): () => void
  /**
   * Ends this login at control and forgets the last map; the node is to be closed after it. Rejects with a NetError when
   * control was not told: the node then stays in the mesh, and may be asked again.
   */
  logout(): Promise<void>
  /** Leaves the mesh and frees everything. Calling twice is harmless. */
  close(): Promise<void>
}
