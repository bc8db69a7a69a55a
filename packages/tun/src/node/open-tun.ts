// Opens the kernel's TUN device, and turns each way that can fail into one sentence for a person.
import { TunError, type TunErrorCode } from '../errors.ts'
import type { TunDevice } from '../tun-device.ts'
import { DEFAULT_MTU, MAX_PACKET } from '../tun-pair.ts'
import { checkInterfaceName, configureInterface, moveToNamespace } from './interface.ts'
import { LinuxTun } from './linux-tun.ts'
import {
  Arena,
  describeErrno,
  EACCES,
  EBUSY,
  EINVAL,
  ENODEV,
  ENOENT,
  ENXIO,
  EPERM,
  ffiUnsupportedReason,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDWR,
  sys,
  TUNSETIFF,
} from './sys.ts'

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
  /** Moves the interface into this named network namespace before setting it up. */
  readonly netns?: string
}

const DEVICE_PATH = '/dev/net/tun'
const INSTEAD = 'or run with --tun=userspace-networking'

/** struct ifreq of linux/if.h: 16 bytes of name, then the flags; 40 bytes in all. */
const IFREQ_NAME_LENGTH = 16
const IFREQ_LENGTH = 40
const IFF_TUN = 0x1
const IFF_NO_PI = 0x1000

/**
 * Returns why this machine cannot open a TUN, as one sentence for a person, or `undefined` when it can. Opens a
 * device for a moment to be sure: rights are more than a user number.
 */
export function tunUnsupportedReason(): string | undefined {
  try {
    const { fd } = openDevice('meshprobe%d')
    sys().close(fd)
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
  const { name: wanted = 'mesh%d', mtu = DEFAULT_MTU, netns, addresses = [], routes = [] } = options
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > MAX_PACKET) throw new RangeError(`mtu out of range: ${mtu}`)
  checkInterfaceName(wanted)
  const { fd, name } = openDevice(wanted)
  try {
    if (netns !== undefined) await moveToNamespace(name, netns)
    await configureInterface({ name, mtu, addresses, routes, ...(netns === undefined ? {} : { netns }) })
    return new LinuxTun(name, mtu, fd)
  } catch (error) {
    sys().close(fd)
    throw error
  }
}

function openDevice(wanted: string): { fd: number; name: string } {
  const unsupported = ffiUnsupportedReason()
  if (unsupported !== undefined) throw new TunError('ERR_TUN_UNSUPPORTED', `${unsupported}; ${INSTEAD}`)
  const calls = sys()
  const arena = new Arena(new SharedArrayBuffer(64))
  arena.bytes.set(new TextEncoder().encode(DEVICE_PATH))
  const fd = calls.open(arena, 0, O_RDWR | O_NONBLOCK | O_CLOEXEC)
  if (fd < 0) throw openError(fd)
  arena.bytes.fill(0)
  arena.bytes.set(new TextEncoder().encode(wanted))
  new DataView(arena.buffer).setUint16(IFREQ_NAME_LENGTH, IFF_TUN | IFF_NO_PI, true)
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
      `TUN needs ${DEVICE_PATH}, which this machine does not have (try "modprobe tun"); ${INSTEAD}`,
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
  return new TunError(code, `${message}; ${INSTEAD}`)
}
