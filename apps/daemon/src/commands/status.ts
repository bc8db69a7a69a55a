// `mesh status` and `mesh ip`: what the daemon knows, as a table or as JSON.
import type { DataPlaneStatus, PeerStatus, Status } from '@mesh/net'
import { CommandError, type LocalClient } from '../local-client.ts'
import { whyNotRunning } from '../not-running.ts'

/** Flags of `mesh status`. */
export interface StatusFlags {
  readonly json?: boolean
  /** Only peers that packets go to. */
  readonly active?: boolean
  /** Show this machine. */
  readonly self: boolean
  /** Show the peers. */
  readonly peers: boolean
}

/** Returns the status as text: a line for this node, then one for each peer. */
export async function status(client: LocalClient, flags: StatusFlags): Promise<string> {
  const known = await client.status(flags.peers)
  if (flags.json) return JSON.stringify(known, undefined, 2)
  const reason = whyNotRunning(known)
  if (reason) throw new CommandError(reason)
  const shown = Object.values(known.Peer ?? {}).filter((peer) => !flags.active || peer.Active)
  const peers = shown.sort((a, b) => a.DNSName.localeCompare(b.DNSName))
  const lines = [
    ...(known.Self && flags.self ? [line(known, known.Self, '-')] : []),
    ...peers.map((peer) => line(known, peer, path(peer))),
  ]
  const plane = known.DataPlane && flags.self ? [`# Data plane: ${describePlane(known.DataPlane)}`] : []
  const health = known.Health.map((sentence) => `#     - ${sentence}`)
  const notes = [...plane, ...(health.length > 0 ? ['# Health check:', ...health] : [])]
  return [...lines, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n')
}

function describePlane({ Kind, AEAD, Reason }: DataPlaneStatus): string {
  return `${Kind}${AEAD && AEAD !== Kind ? ` (${AEAD})` : ''}${Reason ? `, because ${Reason}` : ''}`
}

/** Returns this node's addresses, or those of the named peer, one a line. */
export async function ip(
  client: LocalClient,
  name: string | undefined,
  flags: { readonly 1?: boolean; readonly 4?: boolean; readonly 6?: boolean },
): Promise<string> {
  if (Object.keys(flags).length > 1) throw new CommandError('Choose one of -1, -4 and -6.')
  const known = await client.status()
  const reason = whyNotRunning(known)
  if (reason) throw new CommandError(reason)
  const all = name === undefined ? (known.TailscaleIPs ?? []) : findPeer(known, name).TailscaleIPs
  const wanted = all.filter((address) =>
    flags[4] ? !address.includes(':') : flags[6] ? address.includes(':') : true,
  )
  if (wanted.length === 0) throw new CommandError('There is no address of that family.')
  return (flags[1] ? wanted.slice(0, 1) : wanted).join('\n')
}

/** Returns the node of that address or name (short or full). */
export function findPeer(known: Status, target: string): PeerStatus {
  const wanted = target.toLowerCase().replace(/\.$/, '')
  const nodes = [...(known.Self ? [known.Self] : []), ...Object.values(known.Peer ?? {})]
  const found = nodes.find(
    (node) =>
      node.TailscaleIPs.includes(wanted) ||
      node.DNSName.toLowerCase().replace(/\.$/, '') === wanted ||
      shortName(node).toLowerCase() === wanted,
  )
  if (found) return found
  throw new CommandError(`No machine in the mesh is called "${target}" or has that address.`)
}

/** Returns the first label of a node's name. */
function shortName(node: PeerStatus): string {
  return node.DNSName.split('.')[0] || node.HostName
}

function line(known: Status, node: PeerStatus, tail: string): string {
  const owner = node.Tags?.length
    ? 'tagged-devices'
    : `${known.User?.[String(node.UserID)]?.LoginName ?? ''}@`
  const columns = [
    (node.TailscaleIPs[0] ?? '').padEnd(15),
    shortName(node).padEnd(20),
    owner.replace(/@.*$/, '@').padEnd(12),
    node.OS.padEnd(7),
    tail,
  ]
  return columns.join(' ')
}

function path(peer: PeerStatus): string {
  if (!peer.Online && !peer.Active) return 'offline'
  const traffic = peer.TxBytes + peer.RxBytes > 0 ? `, tx ${peer.TxBytes} rx ${peer.RxBytes}` : ''
  if (!peer.Active) return traffic ? `idle${traffic}` : '-'
  if (peer.CurAddr) return `active; direct ${peer.CurAddr}${traffic}`
  const why = peer.PathReason ? ` (${peer.PathReason})` : ''
  if (peer.PeerRelay) return `active; peer-relay ${peer.PeerRelay}${why}${traffic}`
  return peer.Relay ? `active; relay "${peer.Relay}"${why}${traffic}` : `active${why}${traffic}`
}
