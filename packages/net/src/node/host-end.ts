// The host's end of the mesh: the user-space stack, or a kernel device that a packet thread reads, or one that is read here.
import { systemClock, systemRandom } from '@mesh/sansio/node'
import type { PacketSink, TunDevice } from '@mesh/tun'
import type { OffloadTun } from '@mesh/tun/node'
import { type OverlayHost, UserspaceHost } from '../userspace-host.ts'
import { whyNoThread } from './data-plane.ts'
import type { NodeOptions } from './node-options.ts'

type DeviceOptions = Pick<NodeOptions, 'openDevice' | 'openOffloadDevice' | 'dataPlane'>

/** A node's end of the mesh on this machine. */
export class HostEnd {
  /** The user-space stack, where there is no kernel device. */
  readonly userspace: UserspaceHost | undefined
  readonly #options: DeviceOptions
  readonly #fromHost: PacketSink
  readonly #onLost: (error: Error) => void
  #device: TunDevice | undefined
  #tun: OffloadTun | undefined
  #whyNoThread = ''
  /** Why no thread is tried any more. */
  #givenUp: string | undefined
  #closed = false

  /** `fromHost` takes what the host sends, where no thread does; `onLost` hears that the kernel's device is gone. */
  constructor(options: DeviceOptions, fromHost: PacketSink, onLost: (error: Error) => void) {
    this.#options = options
    this.#fromHost = fromHost
    this.#onLost = onLost
    this.userspace = options.openDevice ? undefined : new UserspaceHost(systemClock, systemRandom, fromHost)
  }

  /** The device for a packet thread, where there is one. */
  get tun(): OffloadTun | undefined {
    return this.#tun
  }

  /** Takes packets for the host, where no thread does. */
  get overlay(): OverlayHost | undefined {
    return this.#device ?? this.userspace
  }

  /** Why no thread moves the packets; empty when nobody wants one. */
  get whyNoThread(): string {
    return this.#whyNoThread
  }

  /**
   * Opens the device.
   *
   * @throws NetError `ERR_DATA_PLANE`, and whatever opening a device throws.
   */
  async open(): Promise<void> {
    const { openDevice, openOffloadDevice, dataPlane = 'auto' } = this.#options
    let reason = this.#givenUp ?? whyNoThread(dataPlane, openOffloadDevice !== undefined)
    if (openOffloadDevice && reason === undefined) {
      try {
        return this.#takeTun(await openOffloadDevice())
      } catch (error) {
        if (dataPlane === 'linux' || !openDevice) throw error
        reason = `the device cannot be opened for it: ${error instanceof Error ? error.message : String(error)}`
      }
    }
    this.#whyNoThread = reason ?? ''
    if (openDevice) await this.#openDevice(openDevice)
  }

  /** Opens the kernel's device anew, because it is gone; nobody may use the one before any more. */
  async reopen(): Promise<void> {
    this.#tun?.close()
    await this.#device?.close()
    this.#tun = this.#device = undefined
    await this.open()
  }

  /** Reads the kernel's device without a thread from now on; nobody may use the one before any more. */
  giveUpThread(reason: string): Promise<void> {
    this.#givenUp = reason
    return this.reopen()
  }

  /** Closes it; a device that comes later is closed as it comes. */
  async close(): Promise<void> {
    this.#closed = true
    this.userspace?.close()
    this.#tun?.close()
    await this.#device?.close()
  }

  #takeTun(tun: OffloadTun): void {
    if (this.#closed) tun.close()
    else this.#tun = tun
  }

  async #openDevice(open: () => Promise<TunDevice>): Promise<void> {
    const device = await open()
    if (this.#closed) return device.close()
    this.#device = device
    device.onPackets(this.#fromHost)
    void device.closed.then((error) => error && this.#onLost(error))
  }
}
