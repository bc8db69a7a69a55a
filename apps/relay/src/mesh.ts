// The other relays of the mesh. To each this relay is a client that watches: it learns who is there, and hands over what
// is meant for them (data-plane §2.9).
import { isIP } from 'node:net'
import { connectDerp } from '@mesh/derp-client/node'
import type { RelayServer, Sibling } from '@mesh/derp-server/node'
import { parseHexKey } from '@mesh/keys'
import { nodeCrypto } from '@mesh/noise/node'
import { readIfThere, reasonOf } from '@mesh/sansio/node'
import { Failure } from './failure.ts'

/** One sibling, as `--mesh-with` names it. */
export interface SiblingAddress {
  /** What its certificate is for. */
  readonly host: string
  readonly port?: number
  /** What to dial instead of `host`. */
  readonly dialHost?: string
  /** `sha256-raw:…`, the pin of a certificate that no authority vouches for. */
  readonly pin?: string
}

const MESH_KEY_TEXT = /^[0-9a-f]{64}$/

/**
 * Returns the mesh key kept in a file: 64 lower-case hex digits, with white space around them or not.
 *
 * @throws Failure when there is none; its sentence never holds what the file does.
 */
export function loadMeshKey(path: string): Uint8Array {
  let text: string | undefined
  try {
    text = readIfThere(path)
  } catch (cause) {
    throw new Failure(`The mesh key file ${path} cannot be read: ${reasonOf(cause)}.`, undefined, { cause })
  }
  if (text === undefined) throw new Failure(`There is no mesh key file ${path}.`)
  const key = MESH_KEY_TEXT.test(text.trim()) ? parseHexKey(text.trim()) : undefined
  if (key === undefined || key.every((byte) => byte === 0))
    throw new Failure(`The mesh key file ${path} must hold 64 lower-case hex digits, not all of them 0.`)
  return key
}

/** Reads `HOST[:PORT][/DIALHOST][#sha256-raw:HEX]`, or returns `undefined`. IPv6 addresses are in brackets. */
export function parseSibling(text: string): SiblingAddress | undefined {
  const [, inBrackets, name, port, dialHost, pin] =
    /^(?:\[([\da-fA-F:]+)\]|([\w.-]+))(?::(\d{1,5}))?(?:\/([\w.:-]+))?(?:#(sha256-raw:[\da-fA-F]{64}))?$/.exec(
      text,
    ) ?? []
  const host = inBrackets ?? name
  if (host === undefined || (inBrackets !== undefined && isIP(inBrackets) !== 6)) return undefined
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return undefined
  return {
    host,
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(dialHost === undefined ? {} : { dialHost }),
    ...(pin === undefined ? {} : { pin }),
  }
}

/** What {@link meshWith} is told. */
export interface MeshOptions {
  readonly relay: RelayServer
  /** The relay's own key: by it siblings know who watches. */
  readonly privateKey: Uint8Array
  readonly meshKey: Uint8Array
  /** Without TLS, for relays of the development mode. */
  readonly plain: boolean
  /** Is told what people should know. */
  readonly say: (line: string) => void
}

/** Connects to a sibling and stays connected. Returns the way to end it. */
export function meshWith(address: SiblingAddress, options: MeshOptions): () => void {
  const { relay, say } = options
  const link = connectDerp({
    region: regionOf(address),
    privateKey: options.privateKey,
    meshKey: options.meshKey,
    plain: options.plain,
    watch: true,
    x25519: nodeCrypto,
  })
  const own = Buffer.from(relay.publicKey)
  let sibling: Sibling | undefined
  let wasUp = true
  link.onEvent((event) => {
    switch (event.event) {
      case 'connected':
        // The list of all relays may be the same at each of them, this one included.
        if (own.equals(event.serverKey)) return link.close()
        sibling = relay.joinSibling((source, destination, packet) =>
          link.forward(source, destination, packet),
        )
        wasUp = true
        return say(`meshed with ${address.host}`)
      case 'disconnected':
        sibling?.close()
        sibling = undefined
        if (wasUp) say(`not meshed with ${address.host}: ${event.error.message}`)
        wasUp = false
        return
      case 'peer-present':
        if (!own.equals(event.nodeKey)) sibling?.peerPresent(event.nodeKey)
        return
      case 'peer-gone':
        sibling?.peerGone(event.nodeKey)
        return
      default:
        return
    }
  })
  return () => {
    link.close()
    sibling?.close()
  }
}

function regionOf({
  host,
  port,
  dialHost,
  pin,
}: SiblingAddress): Parameters<typeof connectDerp>[0]['region'] {
  const family = isIP(dialHost ?? '')
  // A name to dial is not what TLS is asked for: then the certificate's name has to be said.
  const dialled =
    dialHost !== undefined && family === 0 ? { HostName: dialHost, CertName: host } : { HostName: host }
  const node = {
    Name: host,
    ...dialled,
    ...(family === 4 ? { IPv4: dialHost ?? '', IPv6: 'none' } : {}),
    ...(family === 6 ? { IPv6: dialHost ?? '', IPv4: 'none' } : {}),
    ...(port === undefined ? {} : { DERPPort: port }),
    ...(pin === undefined ? {} : { CertName: pin }),
  }
  return { RegionID: 1, Nodes: [node] }
}
