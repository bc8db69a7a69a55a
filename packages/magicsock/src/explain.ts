// Why does this peer have the path it has? A verdict from what this node knows: its own netcheck, where the peer says
// it is, and what came of trying. Causes are ranked by how sure they are, remedies by how much they help.
import { type Endpoint, formatAddress } from '@mesh/wire/ip'
import type { LocalEndpoint } from './endpoints.ts'
import type { UdpLifetime } from './lifetime-probe.ts'
import type { Ledger, LedgerEntry } from './ledger.ts'
import type { NetcheckReport } from './netcheck-report.ts'
import type { PeerPath } from './output.ts'
import { UNPROBED_MTU } from './path-mtu.ts'
import type { PeerId } from './peer-config.ts'
import { isPublic } from './probe-rules.ts'
import { REMEDIES, remediesFor } from './remedies.ts'

/** Why a path is as it is. */
export type PathCauseCode =
  | 'direct'
  | 'expired'
  | 'no-disco-key'
  | 'not-tried'
  | 'our-udp-blocked'
  | 'their-udp-blocked'
  | 'peer-silent'
  | 'no-common-family'
  | 'same-nat'
  | 'our-nat-varies'
  | 'their-nat-varies'
  | 'still-looking'
  /** Beside the first cause: what else keeps the path from becoming direct, or was tried in vain. */
  | 'mapping-unknown'
  | 'ports-searched'
  | 'peer-relay-silent'

/** What would make a path direct. */
export type PathRemedyCode =
  | 'allow-udp-here'
  | 'allow-udp-there'
  | 'port-mapping-here'
  | 'port-mapping-there'
  | 'ipv6-on-both'
  | 'same-network'
  | 'peer-relay'
  | 'second-stun-server'
  | 'renew-key'
  | 'send-something'
  | 'start-peer'

/** One reason. */
export interface PathCause {
  readonly code: PathCauseCode
  /** How sure it is, from what this side can see. */
  readonly certainty: 'certain' | 'likely' | 'possible'
  /** The reason in a sentence. */
  readonly text: string
}

/** One thing to do. */
export interface PathRemedy {
  readonly code: PathRemedyCode
  /** What to do, in a sentence. */
  readonly text: string
}

/** The verdict on a peer's path. */
export interface PathExplanation {
  readonly peer: PeerId
  /** The path packets take now. */
  readonly path: PeerPath
  /** Why, the surest first; at least one. */
  readonly causes: readonly PathCause[]
  /** What would help, the most useful first; none for a direct path. */
  readonly remedies: readonly PathRemedy[]
  /** How long a path to the peer lives while nobody uses it, where that has been found out. */
  readonly lifetime?: UdpLifetime
  /** The largest IP packet that has been seen to pass by the path in use, where larger ones than usual have been tried. */
  readonly mtu?: number
  /** What was tried and seen, longest ago first. */
  readonly ledger: readonly LedgerEntry[]
}

/** What a verdict is made from. */
export interface PathFacts {
  readonly peer: PeerId
  readonly path: PeerPath
  readonly expired: boolean
  readonly hasDiscoKey: boolean
  /** Something came from the peer, by whatever way. */
  readonly wasHeard: boolean
  /** When this node last began to try after a rest; `undefined` when it is not trying. */
  readonly tryingSince: number | undefined
  /** Where the peer may be. */
  readonly candidates: readonly Endpoint[]
  /** Where we say we are. */
  readonly ours: readonly LocalEndpoint[]
  readonly report: NetcheckReport | undefined
  /** How many peer relays may be used toward the peer. */
  readonly peerRelays: number
  readonly lifetime: UdpLifetime | undefined
  readonly mtu: number | undefined
  readonly ledger: Ledger
}

/** A pair that can be direct mostly is within this time; before, there is no verdict. */
export const VERDICT_AFTER = 5_000

/** Returns the verdict. */
export function explain(facts: PathFacts, now: number): PathExplanation {
  const causes = causesOf(facts, now)
  const remedies = [...new Set(causes.flatMap((cause) => remediesFor(cause.code, facts)))]
  return {
    peer: facts.peer,
    path: facts.path,
    causes,
    remedies: remedies.map((code) => ({ code, text: REMEDIES[code] })),
    ...(facts.lifetime === undefined ? {} : { lifetime: facts.lifetime }),
    ...(facts.mtu === undefined || facts.mtu <= UNPROBED_MTU ? {} : { mtu: facts.mtu }),
    ledger: facts.ledger.entries,
  }
}

function causesOf(facts: PathFacts, now: number): PathCause[] {
  const { path, report, tryingSince } = facts
  if (facts.expired) return [certain('expired', "The peer's key has expired: nothing is sent to it.")]
  if (path.kind === 'direct') return [certain('direct', 'Packets go straight to the peer.')]
  if (!facts.hasDiscoKey)
    return [certain('no-disco-key', 'The peer has told no disco key: only a relay reaches it.')]
  if (tryingSince === undefined)
    return [certain('not-tried', 'Nothing was sent to the peer lately, so nobody looks for a path.')]
  if (report?.udp === false)
    return [certain('our-udp-blocked', 'No UDP gets out of this network: no STUN server answered.')]
  if (now - tryingSince < VERDICT_AFTER)
    return [certain('still-looking', 'A path is still being looked for.')]
  return obstacles(facts)
}

function obstacles(facts: PathFacts): PathCause[] {
  if (!facts.wasHeard)
    return [likely('peer-silent', 'Nothing has come from the peer at all, not even through its relay.')]
  const theirs = facts.candidates.filter(isOutside)
  if (theirs.length === 0) return [NO_PUBLIC]
  const ours = facts.ours.map((local) => local.endpoint).filter(isOutside)
  const families = new Set(ours.map((endpoint) => endpoint.address.length))
  const shares = (endpoint: Endpoint): boolean => families.has(endpoint.address.length)
  if (!theirs.some(shares)) {
    // An inside address of a family that we have, and none outside: it has the family, but not the way out.
    if (facts.candidates.some(shares)) return [NO_PUBLIC]
    return [certain('no-common-family', 'One side has IPv4 only, the other IPv6 only.')]
  }
  const outside = new Set(ours.map((endpoint) => formatAddress(endpoint.address)))
  const isSameNat = theirs.some((endpoint) => outside.has(formatAddress(endpoint.address)))
  return [...(isSameNat ? [SAME_NAT] : []), ...natCauses(facts), ...inVain(facts)]
}

/** What has been tried beside pings, and what could not be. */
function inVain({ path, report, peerRelays, ledger, tryingSince = 0 }: PathFacts): PathCause[] {
  const causes: PathCause[] = []
  const searched = (['ports-searched', 'doors-opened'] as const).some((event) =>
    ledger.has(event, 'udp', tryingSince),
  )
  if (searched)
    causes.push(certain('ports-searched', 'The port of a NAT was searched for, and has not been found yet.'))
  if (report !== undefined && report.mappingVariesByDestIp === undefined)
    causes.push({ code: 'mapping-unknown', certainty: 'possible', text: MAPPING_UNKNOWN })
  if (peerRelays > 0 && path.kind !== 'peer-relay')
    causes.push(likely('peer-relay-silent', 'A peer relay may be used, but no tunnel on it has carried yet.'))
  return causes
}

const MAPPING_UNKNOWN =
  'Our NAT may give each destination another port: with one STUN server, and fewer than two peers that answer, nobody can tell.'

const NO_PUBLIC = likely(
  'their-udp-blocked',
  'The peer has named no public address that we could use: no UDP gets out of its network.',
)

const SAME_NAT = likely(
  'same-nat',
  'Both are behind the same NAT, which does not send packets back in, and see no other way to each other.',
)

/** Cone to cone would have met: so one maps for each destination, and the other lets in by port. */
function natCauses({ report, ledger, tryingSince = 0 }: PathFacts): PathCause[] {
  const theirsVaries = 'their NAT gives each destination another port'
  if (report?.mappingVariesByDestIp === true) {
    return [
      likely('our-nat-varies', 'Our NAT gives each destination another port, and theirs lets in by port.'),
      { code: 'their-nat-varies', certainty: 'possible', text: `It may be that ${theirsVaries} too.` },
    ]
  }
  // A ping of theirs that got through left a port they had not named: that is seen, not guessed.
  const wasPinged = ledger.has('ping-heard', 'udp', tryingSince)
  const text = wasPinged
    ? "The peer's pings arrive, but our answers do not: a firewall stands on its side."
    : `Most likely ${theirsVaries}, and ours lets in by port; or a firewall keeps UDP between strangers out.`
  return [likely(wasPinged ? 'their-udp-blocked' : 'their-nat-varies', text)]
}

function certain(code: PathCauseCode, text: string): PathCause {
  return { code, certainty: 'certain', text }
}

function likely(code: PathCauseCode, text: string): PathCause {
  return { code, certainty: 'likely', text }
}

function isOutside({ address }: Endpoint): boolean {
  return isPublic(address)
}
