/**
 * MagicDNS: answers the names of the map, forward and reverse, and says of every other query whom to ask. No socket
 * and no cache: bytes in, bytes or a list of resolvers out.
 *
 * @packageDocumentation
 */
export { ANSWER_TTL, type DnsOutcome, DnsResolver, NEGATIVE_TTL, serverFailure } from './dns-resolver.ts'
export { frameMessage, MessageReader } from './framing.ts'
export type { QueryContext } from './message.ts'
export { isDnsName, normalizeName, reverseNameOf } from './names.ts'
export type { DnsRecords, ExtraRecord, NodeRecord, Route } from './records.ts'
export { TXT_TTL, TxtZone, type TxtZoneOptions, ZONE_TTL } from './txt-zone.ts'
export { SERVICE_ADDRESS, SERVICE_ADDRESS_V6, SERVICE_NAME } from './service.ts'
