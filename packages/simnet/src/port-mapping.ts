// What a home router answers that maps ports on request: NAT-PMP (RFC 6886) or PCP's MAP and ANNOUNCE (RFC 6887).
import type { Clock } from '@mesh/sansio'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { MappingTable } from './mapping-table.ts'

/** How ports can be had mapped. */
export type PortMappingProtocol = 'nat-pmp' | 'pcp'

/** The UDP port of a gateway at which both protocols are spoken. */
export const PORT_MAPPING_PORT = 5351

/** A gateway has been up for a day when the network begins: one that has only just started could not be told from itself. */
const UPTIME = 86_400_000

const NAT_PMP_VERSION = 0
const PCP_VERSION = 2
const ANSWER = 0x80
const UNSUPPORTED_VERSION = 1
const NO_RESOURCES = { natPmp: 4, pcp: 8 } as const

const PMP = { address: 0, mapUdp: 1, requestLength: 12 } as const
const PCP = { announce: 0, map: 1, headerLength: 24, mapLength: 60 } as const
/** Byte offsets of a PCP header and of MAP behind it. */
const PCP_AT = { lifetime: 4, epoch: 8, internalPort: 40, externalPort: 42, externalAddress: 44 } as const

/** The server in one gateway. */
export class PortMappingServer {
  readonly #protocol: PortMappingProtocol
  readonly #table: MappingTable
  readonly #external: IpAddress
  readonly #clock: Clock
  #startedAt: number

  constructor(protocol: PortMappingProtocol, table: MappingTable, external: IpAddress, clock: Clock) {
    this.#protocol = protocol
    this.#table = table
    this.#external = external
    this.#clock = clock
    this.#startedAt = clock.now() - UPTIME
  }

  /** Begins its epoch anew. */
  restart(): void {
    this.#startedAt = this.#clock.now()
  }

  /** Returns the answer to a request, or `undefined` for what is none. */
  answer(request: Uint8Array, from: Endpoint): Uint8Array | undefined {
    if (request[0] === NAT_PMP_VERSION) return this.#answerPmp(request, from)
    return request[0] === PCP_VERSION ? this.#answerPcp(request, from) : undefined
  }

  #answerPmp(request: Uint8Array, from: Endpoint): Uint8Array | undefined {
    const opcode = request[1]
    if (this.#protocol !== 'nat-pmp') return this.#pmp(opcode ?? 0, 8, UNSUPPORTED_VERSION)
    if (opcode === PMP.address) {
      const answer = this.#pmp(PMP.address, 12, 0)
      answer.set(this.#external, 8)
      return answer
    }
    if (opcode !== PMP.mapUdp || request.length < PMP.requestLength) return undefined
    const view = viewOf(request)
    const [internal, lifetime] = [view.getUint16(4), view.getUint32(8)]
    const port = this.#map({ address: from.address, port: internal }, view.getUint16(6), lifetime)
    const answer = this.#pmp(PMP.mapUdp, 16, port === undefined ? NO_RESOURCES.natPmp : 0)
    viewOf(answer).setUint16(8, internal)
    viewOf(answer).setUint16(10, port ?? 0)
    viewOf(answer).setUint32(12, lifetime)
    return answer
  }

  #pmp(opcode: number, length: number, result: number): Uint8Array {
    const answer = new Uint8Array(length)
    answer[1] = ANSWER | opcode
    viewOf(answer).setUint16(2, result)
    viewOf(answer).setUint32(4, this.#epoch())
    return answer
  }

  #answerPcp(request: Uint8Array, from: Endpoint): Uint8Array | undefined {
    if (this.#protocol !== 'pcp') return this.#pmp(0, 8, UNSUPPORTED_VERSION)
    if (request.length < PCP.headerLength) return undefined
    const opcode = request[1]
    if (opcode === PCP.announce) return this.#pcp(request.subarray(0, PCP.headerLength), 0)
    if (opcode !== PCP.map || request.length < PCP.mapLength) return undefined
    const view = viewOf(request)
    const inside = { address: from.address, port: view.getUint16(PCP_AT.internalPort) }
    const lifetime = view.getUint32(PCP_AT.lifetime)
    const port = this.#map(inside, view.getUint16(PCP_AT.externalPort), lifetime)
    const answer = this.#pcp(request, port === undefined ? NO_RESOURCES.pcp : 0)
    viewOf(answer).setUint32(PCP_AT.lifetime, lifetime)
    viewOf(answer).setUint16(PCP_AT.externalPort, port ?? 0)
    answer.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...this.#external], PCP_AT.externalAddress)
    return answer
  }

  #pcp(request: Uint8Array, result: number): Uint8Array {
    const answer = request.slice()
    answer[1] = ANSWER | (request[1] ?? 0)
    answer.fill(0, 2, PCP.headerLength)
    answer[3] = result
    viewOf(answer).setUint32(PCP_AT.epoch, this.#epoch())
    return answer
  }

  #map(inside: Endpoint, wanted: number, seconds: number): number | undefined {
    if (seconds === 0) {
      this.#table.unforward(inside)
      return 0
    }
    const port = this.#table.portToForward(wanted, inside)
    if (port !== undefined) this.#table.forward(port, inside, this.#clock.now() + seconds * 1_000)
    return port
  }

  #epoch(): number {
    return Math.floor((this.#clock.now() - this.#startedAt) / 1_000)
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
