// The JSON in the two boxes of a login (data-plane section 2.6). It comes from strangers, in the manner of Go: names
// in any case, unknown ones allowed; what has the wrong type makes the whole unreadable.

/** What a client says about itself. */
export interface ClientInfo {
  /** The secret that relays of one mesh share, 64 lower-case hex digits. Compare in constant time. */
  readonly meshKey?: string
  /** Protocol version; 2 today. */
  readonly version: number
  /** The client answers pings. */
  readonly canAckPings: boolean
  /** The client only measures. */
  readonly isProber: boolean
  /** The name of the program, for statistics. */
  readonly appName?: string
}

/** What a server says about itself. */
export interface ServerInfo {
  /** Protocol version; 2 today. */
  readonly version: number
  /** When given, the client sends at most so many bytes a second and drops what exceeds it. */
  readonly tokenBucketBytesPerSecond?: number
  /** How much of that may come at once. */
  readonly tokenBucketBytesBurst?: number
}

/** Returns the JSON of a client info, to be sealed. */
export function encodeClientInfo(info: ClientInfo): Uint8Array {
  return toJson({
    meshKey: info.meshKey,
    version: info.version || undefined,
    CanAckPings: info.canAckPings,
    IsProber: info.isProber || undefined,
    AppName: info.appName,
  })
}

const MESH_KEY = /^[0-9a-fA-F]{64}$/

/** Reads the JSON of a client info, or returns `undefined`. An empty or ragged mesh key is an error, absence is not. */
export function decodeClientInfo(json: Uint8Array): ClientInfo | undefined {
  const object = fromJson(json)
  if (!object) return undefined
  const [meshKey, appName] = [object.get('meshkey'), object.get('appname')]
  const version = object.get('version') ?? 0
  const canAckPings = object.get('canackpings') ?? false
  const isProber = object.get('isprober') ?? false
  if (typeof version !== 'number' || typeof canAckPings !== 'boolean' || typeof isProber !== 'boolean')
    return undefined
  if (meshKey !== undefined && (typeof meshKey !== 'string' || !MESH_KEY.test(meshKey))) return undefined
  if (appName !== undefined && typeof appName !== 'string') return undefined
  return {
    version,
    canAckPings,
    isProber,
    ...(meshKey !== undefined && { meshKey: meshKey.toLowerCase() }),
    ...(appName !== undefined && { appName }),
  }
}

/** Returns the JSON of a server info, to be sealed. */
export function encodeServerInfo(info: ServerInfo): Uint8Array {
  return toJson({
    version: info.version || undefined,
    TokenBucketBytesPerSecond: info.tokenBucketBytesPerSecond,
    TokenBucketBytesBurst: info.tokenBucketBytesBurst,
  })
}

/** Reads the JSON of a server info, or returns `undefined`. */
export function decodeServerInfo(json: Uint8Array): ServerInfo | undefined {
  const object = fromJson(json)
  if (!object) return undefined
  const version = object.get('version') ?? 0
  const rate = object.get('tokenbucketbytespersecond')
  const burst = object.get('tokenbucketbytesburst')
  if (typeof version !== 'number') return undefined
  if (
    (rate !== undefined && typeof rate !== 'number') ||
    (burst !== undefined && typeof burst !== 'number')
  ) {
    return undefined
  }
  return {
    version,
    ...(rate !== undefined && { tokenBucketBytesPerSecond: rate }),
    ...(burst !== undefined && { tokenBucketBytesBurst: burst }),
  }
}

function toJson(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

/** Returns the members of a JSON object by lower-case name, `null` ones left out as Go does. */
function fromJson(json: Uint8Array): Map<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const members = Object.entries(value).filter(([, member]) => member !== null)
    return new Map(members.map(([name, member]): [string, unknown] => [name.toLowerCase(), member]))
  } catch {
    return undefined
  }
}
