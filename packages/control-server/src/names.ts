// Names in the network: one DNS label a node, made from what the machine calls itself. The machine's word is a
// stranger's: whatever it says, what comes out is letters, digits and hyphens (control §4.14, threat 15).

/** Longest DNS label (RFC 1035). */
const MAX_LABEL = 63
/** Name of a machine whose own name leaves nothing behind. */
const FALLBACK_NAME = 'node'
/** Room kept for `-` and a number that tells equal names apart. */
const SUFFIX_ROOM = 8

/** Returns the DNS label for a machine's own name: lower case, `-` for what does not fit, never empty. */
export function sanitizeHostname(hostname: string): string {
  const label = hostname
    .slice(0, 4 * MAX_LABEL)
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\.(local|localdomain|lan)$/, '')
    .replace(/['’‘`]|\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, MAX_LABEL - SUFFIX_ROOM)
    .replace(/-+$/, '')
  return label === '' ? FALLBACK_NAME : label
}

/** Returns the label itself when it is free, else the first of `label-1`, `label-2`, … that is. */
export function uniqueName(label: string, taken: (name: string) => boolean): string {
  if (!taken(label)) return label
  let number = 1
  while (taken(`${label}-${number}`)) number += 1
  return `${label}-${number}`
}

/** Tells whether a given name came from this label, with or without a number behind it. */
export function isNameOf(givenName: string, label: string): boolean {
  if (givenName === label) return true
  return givenName.startsWith(`${label}-`) && /^\d+$/.test(givenName.slice(label.length + 1))
}

/** Tells whether text is a DNS name of labels that {@link sanitizeHostname} could have made. */
export function isDomainName(text: string): boolean {
  return (
    text.length <= 200 && text.split('.').every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label))
  )
}
