/**
 * MagicDNS: answers names from the map.
 *
 * @packageDocumentation
 */
export {}
