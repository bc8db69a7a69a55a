// What would make a path direct, or at least shorter: which remedy fits which cause, the most useful first.
import { ENDPOINT_TYPE } from './endpoints.ts'
import type { PathCauseCode, PathFacts, PathRemedyCode } from './explain.ts'

/** The remedies, in a sentence each. */
export const REMEDIES: Readonly<Record<PathRemedyCode, string>> = {
  'allow-udp-here': 'Let UDP out of this network, at least to ports 3478 and 41641.',
  'allow-udp-there': "Let UDP out of the peer's network, at least to ports 3478 and 41641.",
  'port-mapping-here':
    'Turn on UPnP, NAT-PMP or PCP at the router here, or forward a fixed UDP port by hand.',
  'port-mapping-there':
    "Turn on UPnP, NAT-PMP or PCP at the peer's router, or forward a fixed UDP port by hand.",
  'ipv6-on-both': 'Give both sides IPv6: there is no NAT to get through.',
  'same-network':
    'Let the two local networks reach each other, or turn on hairpin translation at the router.',
  'peer-relay':
    'Let a machine of yours that both reach over UDP relay between them (a peer relay): shorter than a relay region.',
  'second-stun-server':
    'Give the network a second STUN server at another address: then it is known how the NAT maps.',
  'renew-key': "Renew the peer's key.",
  'send-something': 'Send something, or ping the peer: nobody looks for a path that is not used.',
  'start-peer': 'See that the peer is running and connected to its relay.',
}

/** Returns what helps against a cause, the most useful first. */
export function remediesFor(code: PathCauseCode, facts: PathFacts): readonly PathRemedyCode[] {
  const { ours, report } = facts
  const here: PathRemedyCode[] = ours.some(({ type }) => type === ENDPOINT_TYPE.portmapped)
    ? []
    : ['port-mapping-here']
  const ipv6: PathRemedyCode[] = report?.ipv6 === true ? [] : ['ipv6-on-both']
  switch (code) {
    case 'direct':
    case 'still-looking':
    case 'ports-searched':
      return []
    case 'expired':
      return ['renew-key']
    case 'no-disco-key':
    case 'peer-silent':
      return ['start-peer']
    case 'not-tried':
      return ['send-something']
    case 'our-udp-blocked':
      return ['allow-udp-here']
    case 'their-udp-blocked':
      return ['allow-udp-there']
    case 'no-common-family':
      return ['ipv6-on-both', ...peerRelay(facts)]
    case 'same-nat':
      return ['same-network', ...peerRelay(facts)]
    case 'our-nat-varies':
      return [...here, 'port-mapping-there', ...ipv6, ...peerRelay(facts)]
    case 'their-nat-varies':
      return ['port-mapping-there', ...here, ...ipv6, ...peerRelay(facts)]
    case 'mapping-unknown':
      return ['second-stun-server']
    case 'peer-relay-silent':
      return []
  }
}

/** Where both sides get out by UDP a machine between them shortens the way; not where one is in use, or to be had. */
function peerRelay({ path, peerRelays }: PathFacts): PathRemedyCode[] {
  return path.kind === 'peer-relay' || peerRelays > 0 ? [] : ['peer-relay']
}
