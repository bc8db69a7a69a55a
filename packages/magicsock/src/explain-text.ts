// The verdict on a path as text for people.
import type { PathExplanation } from './explain.ts'
import { formatHop } from './hop.ts'
import type { LedgerEntry } from './ledger.ts'
import type { UdpLifetime } from './lifetime-probe.ts'
import type { PeerPath } from './output.ts'

/** Returns a verdict as text for people, without a line end at the last line. */
export function formatExplanation(
  { path, causes, remedies, lifetime, mtu, ledger }: PathExplanation,
  now: number,
): string {
  return [
    `Path: ${formatPath(path)}`,
    'Why:',
    ...causes.map(({ certainty, text }) => `  - ${text}${certainty === 'certain' ? '' : ` (${certainty})`}`),
    ...(remedies.length === 0 ? [] : ['What would help:', ...remedies.map(({ text }) => `  - ${text}`)]),
    ...(mtu === undefined ? [] : [`Packets of ${mtu} bytes have passed by it.`]),
    ...(lifetime === undefined ? [] : [formatLifetime(lifetime)]),
    ...(ledger.length === 0 ? [] : ['Seen:', ...ledger.map((entry) => `  - ${formatEntry(entry, now)}`)]),
  ].join('\n')
}

function formatPath(path: PeerPath): string {
  switch (path.kind) {
    case 'direct':
      return `direct, ${formatHop(path.endpoint)}, ${path.latency.toFixed(1)} ms`
    case 'peer-relay':
      return `peer relay, ${formatHop(path.endpoint)}, ${path.latency.toFixed(1)} ms`
    case 'relay':
      return `relay region ${path.region}`
    case 'none':
      return 'none'
  }
}

function formatEntry({ event, place, times, lastAt }: LedgerEntry, now: number): string {
  const where = typeof place === 'number' ? `relay region ${place}` : formatHop(place)
  const ago = `${((now - lastAt) / 1_000).toFixed(1)} s ago`
  return `${event.replace('-', ' ')}, ${where}: ${times === 1 ? ago : `${times} times, last ${ago}`}`
}

function formatLifetime({ path, atLeast, lessThan }: UdpLifetime): string {
  const seconds = (milliseconds: number): string => `${milliseconds / 1_000} s`
  const shorter =
    lessThan === undefined ? '' : `${atLeast === 0 ? 'less than' : ', less than'} ${seconds(lessThan)}`
  const longer = atLeast === 0 ? '' : `at least ${seconds(atLeast)}`
  return `Unused, the path by ${formatHop(path)} lives ${longer}${shorter}.`
}
