// The place where a case of interoperation plays: a hub namespace for the servers, and one namespace a node, each
// on a cable of its own to the hub, which routes between them. Nothing leads outside.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Lab, Namespace } from '../netns/lab.ts'

const scratch = mkdtempSync(join(tmpdir(), 'mesh-interop-'))
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }))

/** A node's namespace and its address on its cable. */
export interface Place {
  readonly namespace: Namespace
  readonly address: string
  /** A folder for its state that goes when the site goes. */
  readonly folder: string
}

/** The hub and the nodes around it. */
export interface Site {
  readonly hub: Place
  readonly nodes: readonly Place[]
}

/**
 * Builds a hub and as many nodes around it as there are labels. With `hub-only` the hub does not route: nodes reach
 * the servers and nothing else.
 */
export async function buildSite(
  lab: Lab,
  labels: readonly string[],
  reach: 'everyone' | 'hub-only' = 'everyone',
): Promise<Site> {
  const hub = place(await lab.namespace('hub'), '10.91.0.1')
  await hub.namespace.run('ip', 'address', 'add', '10.91.0.1/32', 'dev', 'lo')
  await hub.namespace.run('sysctl', '-qw', `net.ipv4.ip_forward=${reach === 'everyone' ? 1 : 0}`)
  const nodes: Place[] = []
  for (const [index, label] of labels.entries()) {
    const net = `10.91.${index + 1}`
    const node = place(await lab.namespace(label), `${net}.2`)
    await lab.cable(hub.namespace, `${net}.1/24`, node.namespace, `${net}.2/24`)
    await node.namespace.run('ip', 'route', 'add', 'default', 'via', `${net}.1`)
    nodes.push(node)
  }
  return { hub, nodes }
}

/** A host somewhere out there: exit nodes let nobody into private ranges. */
export const OUTSIDE = '203.0.113.1'

/** Puts a host behind a place: it has {@link OUTSIDE} for an address too. */
export async function placeBeyond(lab: Lab, { namespace: gateway }: Place): Promise<Place> {
  const outside = place(await lab.namespace('outside'), '10.78.0.2')
  await lab.cable(gateway, '10.78.0.1/24', outside.namespace, '10.78.0.2/24')
  await outside.namespace.run('ip', 'address', 'add', `${OUTSIDE}/32`, 'dev', 'lo')
  await outside.namespace.run('ip', 'route', 'add', 'default', 'via', '10.78.0.1')
  await gateway.run('ip', 'route', 'add', OUTSIDE, 'via', '10.78.0.2')
  await gateway.run('sysctl', '-qw', 'net.ipv4.ip_forward=1')
  return outside
}

/** Lets no UDP out of a place but into the mesh: what is left is TCP to the relay. */
export async function blockUdp({ namespace }: Place): Promise<void> {
  await namespace.run('nft', 'add table inet guard')
  await namespace.run('nft', 'add chain inet guard out { type filter hook output priority 0 ; }')
  const rule = 'add rule inet guard out oifname != { "tailscale0", "mesh0" } meta l4proto udp drop'
  await namespace.run('nft', rule)
}

/** Lets UDP out again after {@link blockUdp}. */
export async function allowUdp({ namespace }: Place): Promise<void> {
  await namespace.run('nft', 'delete table inet guard')
}

/** Returns a place in a namespace, with a folder of its own. */
export function place(namespace: Namespace, address: string): Place {
  return { namespace, address, folder: mkdtempSync(join(scratch, 'node-')) }
}
