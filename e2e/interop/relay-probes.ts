// derpprobe, which looks at relays as Tailscale looks at its own.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RelayRegion } from '@mesh/derp-client'
import { eventually, type Started } from '../netns/lab.ts'
import { type Mesh, startOurs } from './relays.ts'
import type { Place } from './site.ts'

/** What derpprobe tries, and what it calls it. */
export const PROBES = [
  ['TLS', 'tls'],
  ['STUN', 'udp'],
  ['mesh', 'mesh'],
  ['bandwidth', 'bw'],
] as const

/** Starts derpprobe on relays of one region. It asks for names in TLS, and pins mean nothing to it: names are made known. */
export function startProbe(
  place: Place,
  relays: readonly (ProbedRelay & { at: Place })[],
  derpprobe: string,
  args: readonly string[],
): Started {
  const file = (name: string): string => join(place.folder, name)
  const Nodes = relays.flatMap(({ region, at }, i) =>
    (region.Nodes ?? []).map((node) => ({
      ...node,
      RegionID: 1,
      Name: `1${'ab'[i]}`,
      CertName: '',
      IPv4: at.address,
    })),
  )
  writeFileSync(
    file('map.json'),
    JSON.stringify({ Regions: { 1: { RegionID: 1, RegionCode: 'ours', Nodes } } }),
  )
  writeFileSync(file('hosts'), relays.map(({ name, at }) => `${at.address} ${name}\n`).join(''))
  writeFileSync(
    file('roots.pem'),
    relays.map(({ certificate }) => readFileSync(certificate, 'utf8')).join(''),
  )
  // What is mounted here only this program sees.
  const script = 'mount --bind "$0" /etc/hosts && export SSL_CERT_FILE="$1" && shift && exec "$@"'
  const program = [derpprobe, `-derp-map=file://${file('map.json')}`, '-spread=false', ...args]
  return place.namespace.start('sh', '-c', script, file('hosts'), file('roots.pem'), ...program)
}

/** A relay with a name. */
export interface ProbedRelay {
  readonly region: RelayRegion
  readonly certificate: string
  readonly name: string
}

/** Starts our relay under a name of its own. */
export async function startNamed(
  at: Place,
  name: string,
  mesh?: Mesh,
  more: readonly string[] = [],
): Promise<ProbedRelay & { at: Place; pin: string; program: Started }> {
  return { ...(await startOurs(at, mesh, name, more)), name, at }
}

/** Waits until derpprobe has ended and found everything good. */
export async function allGood(once: Started): Promise<void> {
  await eventually('derpprobe to end', async () => once.ended || undefined, 60_000)
  if (/ bad: /.test(once.output)) throw new Error(once.output)
}
