// The relays that nodes are told of: from --relay, one each, or as a whole map from --derp-map.

import { readFileSync } from 'node:fs'
import { relayMap, type RelayEntry } from '@mesh/control-server'
import { decodeDERPMap, decodeJson, type DERPMap } from '@mesh/wire/control'
import { InvalidArgumentError } from 'commander'
import { CommandError, reasonOf } from './command-error.ts'

/** The UDP port of STUN. */
const STUN_PORT = 3478

/** What `--relay` and `--derp-map` say together. */
export interface RelayFlags {
  readonly relay: readonly RelayEntry[]
  readonly derpMap?: string
}

/** Adds what one `--relay` says: `https://relay.example[:443][,stun=3478|off][,insecure][,cert=sha256-raw:HEX]`. */
export function addRelay(text: string, before: readonly RelayEntry[]): readonly RelayEntry[] {
  const [address = '', ...settings] = text.split(',')
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.pathname !== '/') {
    throw new InvalidArgumentError('Write it as https://relay.example or http://127.0.0.1:3340,stun=3478.')
  }
  const plain = url.protocol === 'http:'
  const port = url.port === '' ? (plain ? 80 : 443) : Number(url.port)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const entry = { host, port, stunPort: STUN_PORT, ...(plain ? { insecure: true } : {}) }
  return [...before, settings.reduce(withSetting, entry)]
}

/** Returns the map that nodes get. */
export function readRelays({ relay, derpMap }: RelayFlags): DERPMap {
  if (derpMap === undefined) return relayMap(relay)
  if (relay.length > 0) throw new CommandError('Give either --relay or --derp-map, not both.')
  return readMap(derpMap)
}

function withSetting(entry: RelayEntry, setting: string): RelayEntry {
  const [name, value = ''] = setting.split('=', 2)
  if (name === 'stun' && value === 'off') return { ...entry, stunPort: -1 }
  if (name === 'stun' && /^\d+$/.test(value) && Number(value) < 65_536)
    return { ...entry, stunPort: Number(value) }
  if (name === 'insecure' && value === '') return { ...entry, insecure: true }
  if (name === 'cert' && /^sha256-raw:[0-9a-f]{64}$/.test(value)) return { ...entry, certName: value }
  throw new InvalidArgumentError(
    `It knows stun=PORT, stun=off, insecure and cert=sha256-raw:HEX, not "${setting}".`,
  )
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
