// What one node must know of another before they can meet: two public keys and where it may be. Whoever has no control
// server passes it on as a line of text, by whatever means there are.
import { formatDiscoKey, formatNodeKey, parseDiscoKey, parseNodeKey } from '@mesh/keys'
import { type Endpoint, formatEndpoint, parseEndpoint } from '@mesh/wire/ip'

/** All that a peer must know. Nothing in it is secret; whoever changes it on the way can keep two nodes apart. */
export interface Introduction {
  /** The node public key, 32 bytes. */
  readonly nodeKey: Uint8Array
  /** The disco public key, 32 bytes: another one at each start. */
  readonly discoKey: Uint8Array
  /** Where the node may be. */
  readonly endpoints: readonly Endpoint[]
  /** Its home relay region; 0 when it has none. */
  readonly homeRelay: number
}

/** An introduction longer than this is not read. */
const MAX_LENGTH = 16_384
/** So many endpoints are read. */
const MAX_ENDPOINTS = 100

/** Returns an introduction as one line of JSON. */
export function formatIntroduction({ nodeKey, discoKey, endpoints, homeRelay }: Introduction): string {
  return JSON.stringify({
    node: formatNodeKey(nodeKey),
    disco: formatDiscoKey(discoKey),
    endpoints: endpoints.map(formatEndpoint),
    relay: homeRelay,
  })
}

/** Reads an introduction, or returns `undefined` when the text is none. Endpoints that cannot be read are left out. */
export function parseIntroduction(text: string): Introduction | undefined {
  const fields = text.length > MAX_LENGTH ? undefined : readObject(text)
  if (fields === undefined) return undefined
  const { node, disco, endpoints, relay } = fields
  const nodeKey = typeof node === 'string' ? parseNodeKey(node) : undefined
  const discoKey = typeof disco === 'string' ? parseDiscoKey(disco) : undefined
  if (nodeKey === undefined || discoKey === undefined || !Array.isArray(endpoints)) return undefined
  const read = endpoints.slice(0, MAX_ENDPOINTS).flatMap((each: unknown) => {
    return typeof each === 'string' ? (parseEndpoint(each) ?? []) : []
  })
  const homeRelay = typeof relay === 'number' && Number.isInteger(relay) && relay > 0 ? relay : 0
  return { nodeKey, discoKey, endpoints: read, homeRelay }
}

function readObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
