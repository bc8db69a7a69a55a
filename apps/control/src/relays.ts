// The relays that nodes are told of: from --relay, one each, or as a whole map from --derp-map.

import { readFileSync } from 'node:fs'
import { relayMap, type RelayEntry } from '@mesh/control-server'
import { reasonOf } from '@mesh/sansio/node'
import { decodeDERPMap, decodeJson, type DERPMap } from '@mesh/wire/control'
import { CommandError } from './command-error.ts'

/** What `--relay` and `--derp-map` say together. */
export interface RelayFlags {
  readonly relay: readonly RelayEntry[]
  readonly derpMap?: string
}

/** Returns the map that nodes get. */
export function readRelays({ relay, derpMap }: RelayFlags): DERPMap {
  if (derpMap === undefined) return relayMap(relay)
  if (relay.length > 0) throw new CommandError('Give either --relay or --derp-map, not both.')
  return readMap(derpMap)
}

function readMap(path: string): DERPMap {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    throw new CommandError(`The relay map ${path} cannot be read: ${reasonOf(cause)}.`, { cause })
  }
  const map = decodeJson(bytes, decodeDERPMap)
  const written = decodeJson(bytes, (value) => value as { Regions?: object | null })
  if (!map?.Regions) throw new CommandError(`${path} is no relay map: it must be JSON with "Regions".`)
  if (Object.keys(map.Regions).length !== Object.keys(written?.Regions ?? {}).length) {
    throw new CommandError(`${path} has a region whose RegionID is not its key.`)
  }
  return map
}
