// What the programs of the town and the tests that run them agree on.

/** Addresses of the two relays, unless the programs are started with others; the first is region 1. */
export const RELAYS = ['203.0.113.10', '203.0.113.11'] as const
/** TCP port of each relay. */
export const RELAY_PORT = 8080

/** What a test tells the program `magicsocks`, one line of JSON each. A cell is one magicsock. */
export type Order =
  /** Opens a magicsock; it answers with {@link Ready} once it has looked around. */
  | { readonly order: 'open'; readonly cell: string; readonly portMapping?: boolean; readonly port?: number }
  /** Names its one peer, and begins to send to it. */
  | { readonly order: 'meet'; readonly cell: string; readonly peer: Introduction }
  /** Sends so many packets of this length, and nothing else from now on. */
  | { readonly order: 'burst'; readonly cell: string; readonly length: number; readonly count: number }
  /** Sends nothing for so long, and then goes on. */
  | { readonly order: 'rest'; readonly cell: string; readonly duration: number }
  /** Asks for {@link Heard}. */
  | { readonly order: 'tell'; readonly cell: string; readonly length: number }

/** All that control would say of a peer. Keys are in hexadecimal. */
export interface Introduction {
  readonly nodeKey: string
  readonly discoKey: string
  readonly endpoints: readonly string[]
  readonly homeRelay: number
}

/** A magicsock is open and knows what it looks like. */
export interface Ready extends Introduction {
  readonly said: 'ready'
  readonly cell: string
}

/** A magicsock's path is direct and trusted now, or no longer. */
export interface PathNews {
  readonly said: 'path'
  readonly cell: string
  readonly direct: boolean
  /** Milliseconds since it met its peer. */
  readonly after: number
}

/** How many different packets of a length have come. */
export interface Heard {
  readonly said: 'heard'
  readonly cell: string
  readonly length: number
  readonly count: number
}

/** What the gateway has mapped, when that changes. */
export interface PortMapNews {
  readonly said: 'port-map'
  readonly cell: string
  readonly service: string | undefined
  readonly external: string | undefined
}

/** What `magicsocks` says, one line of JSON each. */
export type Saying = Ready | PathNews | Heard | PortMapNews
