// `mesh status` and `mesh ip`: what the daemon knows, as a table or as JSON.
import type { DataPlaneStatus, PeerStatus, Status } from '@mesh/net'
import { CommandError, type LocalClient } from '../local-client.ts'
import { whyNotRunning } from '../not-running.ts'

/** Flags of `mesh status`. */
export interface StatusFlags {
  readonly json?: boolean
  /** Only peers that packets go to. */
  readonly active?: boolean
  /** Name the columns. */
  readonly header?: boolean
  /** Show this machine. */
  readonly self: boolean
  /** Show the peers. */
  readonly peers: boolean
}

/** Returns the status as text: a line for this node, then one for each peer. */
export async function status(client: LocalClient, flags: StatusFlags): Promise<string> {
  const known = withPeers(await client.status(flags.peers), (peer) => !flags.active || peer.Active)
  if (flags.json) return JSON.stringify(known, undefined, 2)
  const reason = whyNotRunning(known)
  if (reason) throw new CommandError(reason)
  const peers = Object.values(known.Peer ?? {}).sort((a, b) => a.DNSName.localeCompare(b.DNSName))
  const lines = [
    ...(flags.header ? HEADER.map((words) => row(...words)) : []),
    ...(known.Self && flags.self ? [line(known, known.Self, '-')] : []),
    ...peers.map((peer) => line(known, peer, path(peer))),
  ]
  const plane = known.DataPlane && flags.self ? [`# Data plane: ${describePlane(known.DataPlane)}`] : []
  const health = known.Health.map((sentence) => `#     - ${sentence}`)
  const notes = [...plane, ...(health.length > 0 ? ['# Health check:', ...health] : [])]
  return [...lines, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n')
}

const HEADER: readonly Parameters<typeof row>[] = [
  ['IP', 'Hostname', 'Owner', 'OS', 'Status'],
  ['--', '--------', '-----', '--', '------'],
]

function withPeers(known: Status, isShown: (peer: PeerStatus) => boolean): Status {
  if (known.Peer === null) return known
  return {
    ...known,
    Peer: Object.fromEntries(Object.entries(known.Peer).filter(([, peer]) => isShown(peer))),
  }
}

function describePlane({ Kind, AEAD, Reason }: DataPlaneStatus): string {
  return `${Kind}${AEAD && AEAD !== Kind ? ` (${AEAD})` : ''}${Reason ? `, because ${Reason}` : ''}`
}

/** Flags of `mesh ip`. */
export interface IpFlags {
  readonly 1?: boolean
  readonly 4?: boolean
  readonly 6?: boolean
  /** An address that this node must have. */
  readonly assert?: string
}

/** Returns this node's addresses, or those of the named peer; none when it only has one to assert, which it has. */
export async function ip(
  client: LocalClient,
  name: string | undefined,
  flags: IpFlags,
): Promise<readonly string[]> {
  if ([flags[1], flags[4], flags[6]].filter(Boolean).length > 1)
    throw new CommandError('Choose one of -1, -4 and -6.')
  const known = await client.status()
  const reason = whyNotRunning(known)
  if (reason) throw new CommandError(reason)
  if (flags.assert !== undefined) {
    if (known.TailscaleIPs?.includes(flags.assert.toLowerCase())) return []
    throw new CommandError(
      `This machine has not the address ${flags.assert}, but ${known.TailscaleIPs?.join(' and ') || 'none'}.`,
    )
  }
  const all = name === undefined ? (known.TailscaleIPs ?? []) : findPeer(known, name).TailscaleIPs
  const wanted = all.filter((address) =>
    flags[4] ? !address.includes(':') : flags[6] ? address.includes(':') : true,
  )
  if (wanted.length === 0) throw new CommandError('There is no address of that family.')
  return flags[1] ? wanted.slice(0, 1) : wanted
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
  const login = known.User?.[String(node.UserID)]?.LoginName ?? '-'
  const owner = node.Tags?.length ? 'tagged-devices' : login.replace(/@.*$/, '@')
  return row(node.TailscaleIPs[0] ?? '', shortName(node), owner, node.OS, tail)
}

function row(address: string, name: string, owner: string, system: string, tail: string): string {
  return [address.padEnd(15), name.padEnd(20), owner.padEnd(12), system.padEnd(7), tail].join(' ')
}

function path(peer: PeerStatus): string {
  const offline = peer.Online ? '' : `offline${lastSeen(peer.LastSeen)}`
  const isUsed = peer.TxBytes + peer.RxBytes > 0
  const traffic = isUsed ? `, tx ${peer.TxBytes} rx ${peer.RxBytes}` : ''
  const parts = peer.Active ? ['active', way(peer), offline] : [isUsed ? 'idle' : '', offline]
  return `${parts.filter(Boolean).join('; ') || '-'}${traffic}`
}

function way(peer: PeerStatus): string {
  if (peer.CurAddr) return `direct ${peer.CurAddr}`
  const why = peer.PathReason ? ` (${peer.PathReason})` : ''
  if (peer.PeerRelay) return `peer-relay ${peer.PeerRelay}${why}`
  return peer.Relay ? `relay "${peer.Relay}"${why}` : why.trim()
}

/** The zero time stands for never. */
function lastSeen(time: string): string {
  const minutes = (Date.now() - Date.parse(time)) / 60_000
  if (!(Date.parse(time) > 0) || minutes < 1) return ''
  if (minutes < 60) return `, last seen ${Math.floor(minutes)}m ago`
  return minutes < 1440
    ? `, last seen ${Math.floor(minutes / 60)}h ago`
    : `, last seen ${Math.floor(minutes / 1440)}d ago`
}
