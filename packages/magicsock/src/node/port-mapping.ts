// The port mapper on the system: a UDP socket of its own, HTTP to the gateway, and who the gateway is.
import type { Socket } from 'node:dgram'
import { type Clock, drive, type Driver, type RandomSource } from '@mesh/sansio'
import { formatAddress, parseAddress } from '@mesh/wire/ip'
import type { Gateway, PortMapping } from '../portmap/mapping.ts'
import { PortMapper, type PortMapperOutput } from '../portmap/port-mapper.ts'
import { bindSocket, closeSocket } from './bind-socket.ts'
import { fetchGateway } from './fetch-gateway.ts'

/** What {@link RunningPortMapper} is made with. */
export interface PortMappingSettings {
  readonly clock: Clock
  readonly random: RandomSource
  /** Says who the gateway is now. */
  readonly findGateway: () => Promise<Gateway | undefined>
  /** Hears that the mapping is another one, or that more is known of the gateway. */
  readonly onChange: (mapping: PortMapping | undefined, mapper: PortMapper) => void
}

/** A {@link PortMapper} at work. */
export class RunningPortMapper {
  readonly #settings: PortMappingSettings
  readonly #mapper: PortMapper
  readonly #driver: Driver
  readonly #fetches = new Set<Promise<void>>()
  #socket: Socket | undefined
  #services = ''
  #closed = false

  constructor(settings: PortMappingSettings) {
    this.#settings = settings
    this.#mapper = new PortMapper(settings.random)
    this.#driver = drive<PortMapperOutput>(this.#mapper, settings.clock, (output) => this.#perform(output))
  }

  /** Looks again who the gateway is, and has this port mapped there. Never rejects: without a socket there is no gateway. */
  async update(port: number): Promise<void> {
    const gateway = await this.#settings.findGateway().catch(() => undefined)
    if (gateway !== undefined) await this.#open()
    if (this.#closed) return
    const asked = this.#socket === undefined ? undefined : gateway
    this.#mapper.setNetwork(asked, port, this.#settings.clock.now())
    this.#driver.wake()
  }

  /** Says that this machine has slept for so many milliseconds. */
  noteSleep(slept: number): void {
    this.#mapper.handleWake(slept, this.#settings.clock.now())
    this.#wake()
  }

  /** Takes the mapping back, as far as that can be done without waiting long. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#mapper.release(this.#settings.clock.now())
    this.#driver.wake()
    this.#closed = true
    this.#driver.close()
    await Promise.all(this.#fetches)
    if (this.#socket !== undefined) await closeSocket(this.#socket)
  }

  #perform(output: PortMapperOutput): void {
    switch (output.kind) {
      case 'datagram':
        this.#socket?.send(output.bytes, output.to.port, formatAddress(output.to.address), () => undefined)
        return
      case 'fetch':
        return this.#fetch(output)
      case 'event':
        return this.#tell()
    }
  }

  #fetch({ fetch, request }: Extract<PortMapperOutput, { kind: 'fetch' }>): void {
    const fetching = fetchGateway(request).then((response) => {
      this.#fetches.delete(fetching)
      if (fetch === 0 || this.#closed) return
      this.#mapper.handleFetched(fetch, response, this.#settings.clock.now())
      this.#wake()
    })
    this.#fetches.add(fetching)
  }

  async #open(): Promise<void> {
    if (this.#socket !== undefined || this.#closed) return
    // A socket that sends in the very call: what is taken back in the end has to leave before it is closed.
    const socket = await bindSocket('udp4', 0).catch(() => undefined)
    if (socket === undefined) return // the next update tries again
    if (this.#closed || this.#socket !== undefined) return closeSocket(socket)
    this.#socket = socket
    socket.on('error', () => undefined)
    socket.on('message', (bytes, from) => {
      const address = parseAddress(from.address)
      if (address === undefined || this.#closed) return
      this.#mapper.handleDatagram(bytes, { address, port: from.port }, this.#settings.clock.now())
      this.#wake()
    })
  }

  #wake(): void {
    this.#driver.wake()
    const { natPmp, pcp, upnp } = this.#mapper.services
    const services = `${natPmp} ${pcp} ${upnp}`
    if (services !== this.#services) this.#tell()
    this.#services = services
  }

  #tell(): void {
    if (!this.#closed) this.#settings.onChange(this.#mapper.mapping, this.#mapper)
  }
}
