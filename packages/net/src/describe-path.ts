// A verdict of magicsock on a peer's path in the words of the status: for people, and as JSON.
import {
  formatExplanation,
  formatHop,
  type PathExplanation,
  type PeerPath,
  type UdpLifetime,
} from '@mesh/magicsock'
import type { DERPMap } from '@mesh/wire/control'
import type { PathReport } from './status.ts'

/** Whose path it is. */
export interface PathOwner {
  /** The peer's name. */
  readonly name: string
  /** Its address in the mesh. */
  readonly address: string
}

/** Returns a path in a few words, for the log. */
export function wayOf(path: PeerPath): string {
  const at = 'endpoint' in path ? formatHop(path.endpoint) : ''
  return path.kind === 'direct' ? at : `${path.kind} ${at}`.trim()
}

/** Returns the verdict; `now` is the time on the clock of the ledger, in milliseconds. */
export function describePath(
  explanation: PathExplanation,
  owner: PathOwner,
  derpMap: DERPMap | undefined,
  now: number,
): PathReport {
  const { path, causes, remedies, lifetime, mtu, ledger } = explanation
  const regionOf = (id: number): string => derpMap?.Regions?.[String(id)]?.RegionCode ?? String(id)
  return {
    NodeName: owner.name,
    NodeIP: owner.address,
    Path: {
      Kind: path.kind,
      ...('endpoint' in path
        ? { Endpoint: formatHop(path.endpoint), LatencySeconds: path.latency / 1000 }
        : {}),
      ...(path.kind === 'relay' ? { DERPRegionCode: regionOf(path.region) } : {}),
    },
    Causes: causes.map(({ code, certainty, text }) => ({ Code: code, Certainty: certainty, Text: text })),
    Remedies: remedies.map(({ code, text }) => ({ Code: code, Text: text })),
    ...(mtu === undefined ? {} : { MTU: mtu }),
    ...(lifetime === undefined ? {} : { UDPLifetime: describeLifetime(lifetime) }),
    Seen: ledger.map(({ event, place, times, lastAt }) => ({
      Event: event,
      Place: typeof place === 'number' ? `DERP(${regionOf(place)})` : formatHop(place),
      Times: times,
      SecondsAgo: Math.max(0, now - lastAt) / 1000,
    })),
    Text: formatExplanation(explanation, now),
  }
}

function describeLifetime({ path, atLeast, lessThan }: UdpLifetime): PathReport['UDPLifetime'] & object {
  return {
    Endpoint: formatHop(path),
    AtLeastSeconds: atLeast / 1000,
    ...(lessThan === undefined ? {} : { LessThanSeconds: lessThan / 1000 }),
  }
}
