/**
 * The immutable map of the network, how updates change it, and what changed.
 *
 * @packageDocumentation
 */
export { type ApplyOptions, applyMapResponse, expireNodes, type MapUpdate, nextExpiry } from './apply.ts'
export { compareMaps, type MapChanges, NO_CHANGES } from './changes.ts'
export { nodeByAddress, nodeByName, peerById } from './lookup.ts'
export type { MapNode } from './map-node.ts'
export { displayName, magicDnsSuffix, type NetworkMap } from './network-map.ts'
