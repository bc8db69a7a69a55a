// Hears from the kernel that an address of this machine has come or gone (netlink, route group), where Node tells nobody. The
// socket is asked once a second: a thread that waits at it would cost more than it is worth.
import {
  AF_NETLINK,
  O_CLOEXEC,
  O_NONBLOCK,
  RTM_DELADDR,
  RTM_NEWADDR,
  RTMGRP_IPV4_IFADDR,
  RTMGRP_IPV6_IFADDR,
  SOCK_RAW,
} from '@mesh/linux'
import { Arena, linuxCalls, unsupportedReason } from '@mesh/linux/node'
import { systemClock } from '@mesh/sansio/node'
import type { IpAddress } from '@mesh/wire/ip'

/** An address that came or went. */
export interface AddressChange {
  readonly address: IpAddress
  readonly isLost: boolean
}

/** How often the kernel is asked, in milliseconds. */
const INTERVAL = 1_000
/** Bytes of news read at a time; what does not fit is lost, and the next look at the interfaces finds it. */
const BUFFER = 16_384

/** Lengths and places in struct nlmsghdr, struct ifaddrmsg and struct rtattr. */
const MESSAGE_HEADER = 16
const MESSAGE_TYPE = 4
const ADDRESS_HEADER = 8
const ATTRIBUTE_HEADER = 4
/** Attributes: the address; of a link with two ends the far one, and then this end's stands in the other. */
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
/** struct sockaddr_nl. */
const NAME_LENGTH = 12
const NAME_GROUPS = 8

/**
 * Begins to watch; returns the function that ends it, or `undefined` where the kernel cannot be asked (other than Linux, or a
 * Node without FFI).
 */
export function watchAddresses(
  onChanges: (changes: readonly AddressChange[]) => void,
): (() => void) | undefined {
  if (unsupportedReason() !== undefined) return undefined
  const calls = linuxCalls()
  const arena = new Arena(new SharedArrayBuffer(BUFFER))
  const fd = calls.socket(AF_NETLINK, SOCK_RAW | O_NONBLOCK | O_CLOEXEC)
  if (fd < 0) return undefined
  const view = new DataView(arena.bytes.buffer)
  view.setUint16(0, AF_NETLINK, true)
  view.setUint32(NAME_GROUPS, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, true)
  if (calls.bind(fd, arena, 0, NAME_LENGTH) < 0) {
    calls.close(fd)
    return undefined
  }
  let stop = (): void => undefined
  const look = (): void => {
    const changes: AddressChange[] = []
    for (let length = 1; length > 0; ) {
      length = calls.read(fd, arena, 0, BUFFER)
      if (length > 0) changes.push(...readAddressChanges(arena.bytes.subarray(0, length)))
    }
    if (changes.length > 0) onChanges(changes)
    stop = systemClock.at(systemClock.now() + INTERVAL, look)
  }
  stop = systemClock.at(systemClock.now() + INTERVAL, look)
  return () => {
    stop()
    calls.close(fd)
  }
}

/** Reads the news of addresses in what netlink gave; what is cut short or of another kind is left out. Addresses are copies. */
export function readAddressChanges(bytes: Uint8Array): readonly AddressChange[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const changes: AddressChange[] = []
  for (let at = 0; at + MESSAGE_HEADER <= bytes.length; ) {
    const length = view.getUint32(at, true)
    if (length < MESSAGE_HEADER || at + length > bytes.length) break
    const type = view.getUint16(at + MESSAGE_TYPE, true)
    if (type === RTM_NEWADDR || type === RTM_DELADDR) {
      const address = addressIn(bytes, view, at + MESSAGE_HEADER + ADDRESS_HEADER, at + length)
      if (address) changes.push({ address, isLost: type === RTM_DELADDR })
    }
    at += aligned(length)
  }
  return changes
}

function addressIn(bytes: Uint8Array, view: DataView, from: number, end: number): IpAddress | undefined {
  let found: IpAddress | undefined
  for (let at = from; at + ATTRIBUTE_HEADER <= end; ) {
    const length = view.getUint16(at, true)
    if (length < ATTRIBUTE_HEADER || at + length > end) break
    const type = view.getUint16(at + 2, true)
    const value = bytes.slice(at + ATTRIBUTE_HEADER, at + length)
    const isAddress = value.length === 4 || value.length === 16
    if (isAddress && (type === IFA_LOCAL || (type === IFA_ADDRESS && !found))) found = value
    at += aligned(length)
  }
  return found
}

/** Messages and attributes begin at multiples of four. */
function aligned(length: number): number {
  return (length + 3) & ~3
}
