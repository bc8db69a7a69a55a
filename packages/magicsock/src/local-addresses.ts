// Which of a machine's own addresses are worth telling (data-plane.md section 5.8): those a peer might reach,
// the doubtful ones only when there is nothing better.
import { formatAddress, type IpAddress, isLinkLocal, isLoopback, isPrivate } from '@mesh/wire/ip'
import { isOverlay } from './probe-rules.ts'

/** An address of an interface that is up. */
export interface InterfaceAddress {
  /** The interface's name. */
  readonly interfaceName: string
  /** The address. */
  readonly address: IpAddress
  /** Length of its network's prefix. */
  readonly prefixBits: number
}

/** How many IPv6 addresses of one interface and prefix length are told; privacy addresses come in crowds. */
export const MAX_IPV6_PER_PREFIX = 2

/**
 * Returns the addresses to advertise, sorted.
 *
 * Overlay addresses (ours and, by interface name, those of other meshes) and IPv6 link-local ones never; IPv4
 * link-local and IPv6 private ones only when there is nothing else; loopback only when there is nothing at all, or when
 * `allowLoopback` adds it.
 */
export function selectLocalAddresses(
  interfaces: readonly InterfaceAddress[],
  allowLoopback: boolean,
): IpAddress[] {
  const candidates = interfaces.filter(({ interfaceName, address }) => {
    return !isOtherMesh(interfaceName) && !isOverlay(address)
  })
  const loopback = candidates.filter(({ address }) => isLoopback(address))
  const others = capIpv6(
    candidates.filter(({ address }) => !isLoopback(address) && !isIpv6LinkLocal(address)),
  )
  const usable = others.filter(({ address }) => !isDoubtful(address))
  const chosen = usable.length > 0 ? usable : others
  const all = chosen.length === 0 || allowLoopback ? [...chosen, ...loopback] : chosen
  const unique = new Map(all.map(({ address }) => [formatAddress(address), address]))
  return [...unique.values()].sort(compareAddresses)
}

function isOtherMesh(interfaceName: string): boolean {
  return interfaceName.startsWith('zt') || interfaceName === 'wt0'
}

function isIpv6LinkLocal(address: IpAddress): boolean {
  return address.length === 16 && isLinkLocal(address)
}

function isDoubtful(address: IpAddress): boolean {
  return address.length === 4 ? isLinkLocal(address) : isPrivate(address)
}

function capIpv6(addresses: readonly InterfaceAddress[]): InterfaceAddress[] {
  const counts = new Map<string, number>()
  return addresses.filter(({ interfaceName, address, prefixBits }) => {
    if (address.length === 4) return true
    const group = `${interfaceName}/${prefixBits}`
    const count = (counts.get(group) ?? 0) + 1
    counts.set(group, count)
    return count <= MAX_IPV6_PER_PREFIX
  })
}

function compareAddresses(a: IpAddress, b: IpAddress): number {
  if (a.length !== b.length) return a.length - b.length
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}
