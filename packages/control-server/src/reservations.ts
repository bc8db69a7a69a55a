// Addresses that are spoken for: each is kept for one node, named by its name or a key of its, before it comes and while it
// is away. Nobody else is given it.

import { addressesOf } from './addresses.ts'
import type { NodeAddresses } from './addresses.ts'
import { ControlError, quoted } from './errors.ts'
import { sanitizeHostname } from './names.ts'
import type { Network } from './network.ts'
import type { NodeRecord, ReservationRecord } from './records.ts'

/** Reads the address that somebody chose. Throws {@link ControlError} when no node could have it. */
export function chosenAddresses(text: string): Pick<NodeAddresses, 'ipv4' | 'ipv6'> {
  const pair = addressesOf(text)
  if (pair) return pair
  const message = `${quoted(text)} is no address that a node can have: write one of 100.64.0.0/10 or of fd7a:115c:a1e0::/48.`
  throw new ControlError('ERR_CONTROL_ADDRESS', message)
}

/**
 * Throws {@link ControlError} when an address is another node's, or reserved for another.
 *
 * @param isMine - Tells whether the node that has it is the one that is to have it.
 * @param holders - The name and keys of that one.
 */
export function refuseTaken(
  network: Network,
  ipv4: string,
  isMine: (node: NodeRecord) => boolean,
  holders: readonly string[],
): void {
  const node = network.nodeAt(ipv4)
  if (node && !isMine(node))
    throw new ControlError('ERR_CONTROL_ADDRESS', `${ipv4} is that of node ${node.givenName}.`)
  const reserved = network.reservationAt(ipv4)
  if (reserved && !holders.includes(reserved.holder))
    throw new ControlError(
      'ERR_CONTROL_ADDRESS',
      `${ipv4} is reserved for ${reserved.holder}: release it first.`,
    )
}

/** Returns everything that a reservation may name a node by. */
export function holdersOf({ givenName, machineKey, nodeKey }: NodeRecord): readonly string[] {
  return [givenName, machineKey, nodeKey]
}

/** Makes, finds and lifts reservations. */
export class Reservations {
  readonly #network: Network
  readonly #wallClock: () => number

  constructor(network: Network, wallClock: () => number) {
    this.#network = network
    this.#wallClock = wallClock
  }

  /** Returns all reservations. */
  all(): readonly ReservationRecord[] {
    return [...this.#network.state.all('reservations').values()]
  }

  /**
   * Keeps an address for a node; the next free one when none is chosen.
   *
   * @param holder - The node's name, or its machine key as `mkey:` or node key as `nodekey:` text.
   * @throws ControlError `ERR_CONTROL_ADDRESS` when it is somebody else's, or the holder has one already.
   */
  add(holder: string, address?: string): ReservationRecord {
    checkHolder(holder)
    const { state } = this.#network
    const known = this.all().find((each) => each.holder === holder)
    if (known)
      throw new ControlError('ERR_CONTROL_ADDRESS', `${known.ipv4} is reserved for ${holder} already.`)
    const free = address === undefined ? this.#network.freeAddresses() : undefined
    const { ipv4, ipv6 } = free ?? chosenAddresses(address ?? '')
    refuseTaken(this.#network, ipv4, (node) => holdersOf(node).includes(holder), [holder])
    const draft = { ipv4, ipv6, holder, createdAt: this.#wallClock() }
    return state.add('reservations', draft, free ? { address: free.number } : {})
  }

  /** Lifts the reservation of an address, or for a holder; a node that has the address keeps it. */
  remove(which: string): ReservationRecord {
    const found = this.all().find(({ id, ipv4, ipv6, holder }) =>
      [String(id), ipv4, ipv6, holder].includes(which),
    )
    if (!found)
      throw new ControlError('ERR_CONTROL_ADDRESS', `Nothing is reserved for or at ${quoted(which)}.`)
    this.#network.state.remove('reservations', found.id)
    return found
  }
}

function checkHolder(holder: string): void {
  if (/^(mkey|nodekey):[0-9a-f]{64}$/.test(holder) || sanitizeHostname(holder) === holder) return
  const message = `${quoted(holder)} is no node's name and no key: write a-z, 0-9 and hyphens, mkey:… or nodekey:….`
  throw new ControlError('ERR_CONTROL_ADDRESS', message)
}
