// The relays of a case and their clients: a real derper, our relay, and our client as a program of its own.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RelayRegion } from '@mesh/derp-client'
import { eventually, type Started } from '../netns/lab.ts'
import type { Place } from './site.ts'

const RELAY = new URL('../../apps/relay/src/mesh-relay.ts', import.meta.url)
const CLIENT = new URL('programs/derp-node.ts', import.meta.url)
const PORT = 3340

/** How long a program may take to come up; machines are busy at times. */
const UP_WITHIN = 30_000

/** A relay that serves. */
export interface RunningRelay {
  readonly region: RelayRegion
  /** `sha256-raw:…`, the pin of its certificate. */
  readonly pin: string
  readonly program: Started
}

/** How a relay meshes: the file of the secret, and with whom. */
export interface Mesh {
  readonly secretFile: string
  readonly siblings: string
  /** Starts it with this certificate trusted like an authority's. */
  readonly trusted?: string
}

/** Starts a real derper with TLS at the address of its place; its certificate is one it makes for itself. */
export async function startDerper(place: Place, derper: string, mesh?: Mesh): Promise<RunningRelay> {
  const address = `${place.address}:${PORT}`
  const program = place.namespace.start(
    'env',
    ...(mesh?.trusted === undefined ? [] : [`SSL_CERT_FILE=${mesh.trusted}`]),
    derper,
    `-a=${address}`,
    `-c=${join(place.folder, 'derper.json')}`,
    '-certmode=manual',
    `-certdir=${place.folder}`,
    `-hostname=${place.address}`,
    '-http-port=-1',
    ...(mesh === undefined ? [] : [`-mesh-psk-file=${mesh.secretFile}`, `-mesh-with=${mesh.siblings}`]),
  )
  const [pin] = await program.waitFor(/sha256-raw:[\da-f]{64}/, UP_WITHIN)
  await program.waitFor(/serving on/, UP_WITHIN)
  return { region: regionOf(place, { CertName: pin }), pin, program }
}

/** Starts a real derper without TLS. */
export async function startPlainDerper(place: Place, derper: string): Promise<RunningRelay> {
  const config = join(place.folder, 'plain.json')
  const program = place.namespace.start(
    derper,
    `-a=${place.address}:${PORT}`,
    `-c=${config}`,
    '-http-port=-1',
  )
  await program.waitFor(/serving on/, UP_WITHIN)
  return { region: regionOf(place, {}), pin: '', program }
}

/** Starts our relay with TLS at the address of its place, which is its name too unless it is given one. */
export async function startOurs(
  place: Place,
  mesh?: Mesh,
  hostname: string = place.address,
  more: readonly string[] = [],
): Promise<RunningRelay & { certificate: string }> {
  const program = place.namespace.startNode(
    RELAY,
    `--a=${place.address}:${PORT}`,
    '-c',
    join(place.folder, 'relay.json'),
    '--certmode=self-signed',
    `--hostname=${hostname}`,
    '--http-port=-1',
    ...(mesh === undefined ? [] : ['--mesh-psk-file', mesh.secretFile, '--mesh-with', mesh.siblings]),
    ...more,
  )
  const [, json = '{}'] = await program.waitFor(/DERP map region (.*)\n/, UP_WITHIN)
  const region = JSON.parse(json) as RelayRegion
  const certificate = join(place.folder, `${hostname}.crt`)
  return { region, pin: region.Nodes?.[0]?.CertName ?? '', program, certificate }
}

/** Writes a mesh secret into a file of a place. */
export function writeSecret(place: Place): string {
  const file = join(place.folder, 'mesh.key')
  writeFileSync(file, 'c0ffee'.repeat(11).slice(0, 64), { mode: 0o600 })
  return file
}

/** Our client, connected. */
export interface RelayClient {
  readonly key: string
  readonly program: Started
}

/** Starts our client in a place and waits until the relay has accepted it. */
export async function connectOurs(
  place: Place,
  region: RelayRegion,
  options: object = {},
): Promise<RelayClient> {
  const program = place.namespace.startNode(CLIENT, JSON.stringify({ region, preferred: true, ...options }))
  const [, key = ''] = await program.waitFor(/^key (\w+)$/m, UP_WITHIN)
  await program.waitFor(/^connected$/m, UP_WITHIN)
  return { key, program }
}

/** Starts our client in a place and waits until it has been turned away, for the reason of this code. */
export async function turnedAway(
  place: Place,
  region: RelayRegion,
  code: string,
  options: object = {},
): Promise<void> {
  const program = place.namespace.startNode(CLIENT, JSON.stringify({ region, ...options }))
  await program.waitFor(/^(connected|disconnected .*)$/m, UP_WITHIN)
  const [said = ''] = /^(connected|disconnected .*)$/m.exec(program.output) ?? []
  await program.stop()
  if (!said.startsWith(`disconnected ${code} `)) throw new Error(`instead of ${code}: ${said}`)
}

let exchanges = 0

/** Sends both ways until both have arrived, each with the sender's key. */
export async function exchange(a: RelayClient, b: RelayClient): Promise<void> {
  exchanges += 1
  const words = [`there-${exchanges}`, `back-${exchanges}`]
  for (const [from, to, word] of [
    [a, b, words[0]],
    [b, a, words[1]],
  ] as const) {
    const line = `packet ${from.key} ${word}\n`
    await eventually(`"${word}" to arrive`, async () => {
      from.program.send(`send ${to.key} ${word}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
      return to.program.output.includes(line) ? true : undefined
    })
  }
}

function regionOf(place: Place, more: object): RelayRegion {
  const node = { Name: '901a', RegionID: 901, HostName: place.address, DERPPort: PORT, ...more }
  return { RegionID: 901, RegionCode: 'derper', RegionName: 'derper', Nodes: [node] } as RelayRegion
}
