// Opens the kernel's TUN device, and turns each way that can fail into one sentence for a person.
import {
  EACCES,
  EBUSY,
  EINVAL,
  ENODEV,
  ENOENT,
  ENXIO,
  EPERM,
  IFF_MULTI_QUEUE,
  IFF_NO_PI,
  IFF_TUN,
  IFF_VNET_HDR,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDWR,
  TUN_F_CSUM,
  TUN_F_TSO4,
  TUN_F_TSO6,
  TUN_F_USO4,
  TUN_F_USO6,
  TUNSETIFF,
  TUNSETOFFLOAD,
  TUNSETVNETHDRSZ,
} from '@mesh/linux'
import { Arena, describeErrno, linuxCalls, unsupportedReason } from '@mesh/linux/node'
import { TunError, type TunErrorCode } from '../errors.ts'
import type { TunDevice } from '../tun-device.ts'
import { DEFAULT_MTU, MAX_PACKET } from '../tun-pair.ts'
import { checkInterfaceName, configureInterface, moveToNamespace } from './interface.ts'
import { LinuxTun } from './linux-tun.ts'

/** How a TUN is opened. */
export interface OpenTunOptions {
  /** The interface's name, at most 15 bytes; a `%d` in it is replaced by the first free number. Default `mesh%d`. */
  readonly name?: string
  /** Largest packet in bytes. Default 1280. */
  readonly mtu?: number
  /** Addresses to add, with prefix length. */
  readonly addresses?: readonly string[]
  /** Destinations to route into the device. */
  readonly routes?: readonly string[]
  /**
   * Queues of an {@link OffloadTun}, default 1: the host's packets are spread over them by flow, so that several threads can
   * read.
   */
  readonly queues?: number
  /** Moves the interface into this named network namespace before setting it up. */
  readonly netns?: string
}

const DEVICE_PATH = '/dev/net/tun'

/** As the kernel allows. */
const MAX_QUEUES = 256

/** struct ifreq of linux/if.h: 16 bytes of name, then the flags; 40 bytes in all. */
const IFREQ_NAME_LENGTH = 16
const IFREQ_LENGTH = 40
/** Bytes of the virtio header in front of each packet of an {@link OffloadTun}: struct virtio_net_hdr. */
const VIRTIO_HEADER_LENGTH = 10

/** An open TUN whose file descriptor somebody else reads and writes: see {@link openOffloadTun}. */
export interface OffloadTun {
  /** The file descriptor, non-blocking; every packet has a virtio header of 10 bytes in front. */
  readonly fd: number
  /** The file descriptors of all queues but that one. */
  readonly queues: readonly number[]
  /** The interface's name, as the host shows it. */
  readonly name: string
  /** The largest packet in bytes, segments taken one by one. */
  readonly mtu: number
  /** What the kernel leaves to the reader: segmentation of TCP and UDP, of TCP alone, or nothing. */
  readonly offloads: 'tcp-udp' | 'tcp' | 'none'
  /** Closes the file descriptor, and the interface is gone. Call it once nobody reads any more. Harmless when repeated. */
  close(): void
}

/**
 * Returns why this machine cannot open a TUN, as one sentence for a person, or `undefined` when it can. Opens a
 * device for a moment to be sure: rights are more than a user number.
 */
export function tunUnsupportedReason(): string | undefined {
  try {
    const { fd } = openDevice('meshprobe%d')
    linuxCalls().close(fd)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/**
 * Opens a TUN device, sets its MTU, addresses and routes, and brings it up. The interface goes when the device is
 * closed, or when the process ends.
 *
 * @throws TunError with a code and one clear sentence when the machine, the rights or the name forbid it.
 * @throws RangeError when the MTU or the name is out of range.
 */
export async function openTun(options: OpenTunOptions = {}): Promise<TunDevice> {
  const { name: wanted = 'mesh%d', mtu = DEFAULT_MTU } = options
  checkMtu(mtu)
  checkInterfaceName(wanted)
  return openWith(wanted, options, 0, (name, fd) => new LinuxTun(name, mtu, fd))
}

/**
 * Opens a TUN like {@link openTun} does, for whoever moves packets in the thousands: packets come in trains of up to 64 KiB
 * with a virtio header in front, their segmentation and checksums left to the reader, and may be written so.
 *
 * @throws TunError with a code and one clear sentence when the machine, the rights or the name forbid it.
 * @throws RangeError when the MTU or the name is out of range.
 */
export async function openOffloadTun(options: OpenTunOptions = {}): Promise<OffloadTun> {
  const { name: wanted = 'mesh%d', mtu = DEFAULT_MTU, queues: wantedQueues = 1 } = options
  checkMtu(mtu)
  checkInterfaceName(wanted)
  if (!Number.isInteger(wantedQueues) || wantedQueues < 1 || wantedQueues > MAX_QUEUES)
    throw new RangeError(`queues out of range: ${wantedQueues}`)
  const flags = wantedQueues > 1 ? IFF_VNET_HDR | IFF_MULTI_QUEUE : IFF_VNET_HDR
  return openWith(wanted, options, flags, (name, fd) => {
    const queues: number[] = []
    const close = (): void => {
      for (const open of fds.splice(0)) linuxCalls().close(open)
    }
    const fds = [fd]
    try {
      while (fds.length < wantedQueues) {
        const { fd: next } = openDevice(name, flags)
        fds.push(next)
        queues.push(next)
        setOffloads(next)
      }
      return { fd, queues, name, mtu, offloads: setOffloads(fd), close }
    } catch (error) {
      for (const next of queues) linuxCalls().close(next)
      throw error
    }
  })
}

/** `make` owns the descriptor once it has returned. It is called where the interface still has its name, and no packet comes. */
async function openWith<T extends { close(): Promise<void> | void }>(
  wanted: string,
  options: OpenTunOptions,
  flags: number,
  make: (name: string, fd: number) => T,
): Promise<T> {
  const { mtu = DEFAULT_MTU, netns, addresses = [], routes = [] } = options
  const { fd, name } = openDevice(wanted, flags)
  let made: T | undefined
  try {
    made = make(name, fd)
    if (netns !== undefined) await moveToNamespace(name, netns)
    await configureInterface({ name, mtu, addresses, routes, ...(netns === undefined ? {} : { netns }) })
    return made
  } catch (error) {
    if (made === undefined) linuxCalls().close(fd)
    else await made.close()
    throw error
  }
}

function checkMtu(mtu: number): void {
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > MAX_PACKET) throw new RangeError(`mtu out of range: ${mtu}`)
}

/** Asks for all that the kernel has; Linux before 6.2 has no segmentation of UDP. */
function setOffloads(fd: number): OffloadTun['offloads'] {
  const calls = linuxCalls()
  const arena = new Arena(new SharedArrayBuffer(64))
  new DataView(arena.bytes.buffer).setInt32(0, VIRTIO_HEADER_LENGTH, true)
  const size = calls.ioctl(fd, TUNSETVNETHDRSZ, arena, 0, 4)
  if (size < 0) throw rightsOrSystem(size, 'setting the length of the virtio header')
  const tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6
  if (calls.ioctlNumber(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) === 0) return 'tcp-udp'
  return calls.ioctlNumber(fd, TUNSETOFFLOAD, tcp) === 0 ? 'tcp' : 'none'
}

function openDevice(wanted: string, flags = 0): { fd: number; name: string } {
  const unsupported = unsupportedReason()
  if (unsupported !== undefined) throw new TunError('ERR_TUN_UNSUPPORTED', `no TUN here: ${unsupported}`)
  const calls = linuxCalls()
  const arena = new Arena(new SharedArrayBuffer(64))
  arena.bytes.set(new TextEncoder().encode(DEVICE_PATH))
  const fd = calls.open(arena, 0, O_RDWR | O_NONBLOCK | O_CLOEXEC)
  if (fd < 0) throw openError(fd)
  arena.bytes.fill(0)
  arena.bytes.set(new TextEncoder().encode(wanted))
  new DataView(arena.bytes.buffer).setUint16(IFREQ_NAME_LENGTH, IFF_TUN | IFF_NO_PI | flags, true)
  const result = calls.ioctl(fd, TUNSETIFF, arena, 0, IFREQ_LENGTH)
  if (result < 0) {
    calls.close(fd)
    throw attachError(result, wanted)
  }
  const end = arena.bytes.indexOf(0)
  return { fd, name: new TextDecoder().decode(arena.bytes.slice(0, end)) }
}

function openError(result: number): TunError {
  if (result === -ENOENT || result === -ENODEV || result === -ENXIO) {
    return new TunError(
      'ERR_TUN_NO_DEVICE',
      `TUN needs ${DEVICE_PATH}, which this machine does not have (try "modprobe tun")`,
    )
  }
  return rightsOrSystem(result, DEVICE_PATH)
}

function attachError(result: number, wanted: string): TunError {
  if (result === -EBUSY) {
    return new TunError('ERR_TUN_BUSY', `the interface ${wanted} is in use by another process`)
  }
  if (result === -EINVAL) {
    return new TunError('ERR_TUN_BUSY', `an interface ${wanted} exists already and is not a TUN`)
  }
  return rightsOrSystem(result, `making the interface ${wanted}`)
}

function rightsOrSystem(result: number, what: string): TunError {
  const noRights = result === -EPERM || result === -EACCES
  const code: TunErrorCode = noRights ? 'ERR_TUN_NO_RIGHTS' : 'ERR_TUN_SYSTEM'
  const reason = describeErrno(result)
  const message = noRights
    ? `TUN needs root or CAP_NET_ADMIN: ${what}: ${reason}`
    : `${what} failed: ${reason}`
  return new TunError(code, message)
}
