// How far a host is by ICMP, asked of the kernel itself: by a socket for echoes where this user may have one
// (`ping_group_range`), else by a raw socket, which root may. Where neither is to be had the system's own `ping` is tried.
import { AF_INET, AF_INET6, EAGAIN, O_CLOEXEC, O_NONBLOCK, SOCK_DGRAM, SOCK_RAW } from '@mesh/linux'
import { Arena, describeErrno, linuxCalls, unsupportedReason } from '@mesh/linux/node'
import { pingByIcmp } from '@mesh/magicsock/node'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import { encodeIcmpEcho, type IpAddress, PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from '@mesh/wire/ip'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'

/** How long an answer may take, in milliseconds. */
const PATIENCE = 2_000
/** How many packets are looked at before others get their turn: a raw socket hears all ICMP of this host. */
const PACKETS_TOGETHER = 32
/** How often the socket is looked at, in milliseconds. */
const LOOK_INTERVAL = 1
/** Bytes that the answer must bring back: nobody can guess them. */
const PAYLOAD_LENGTH = 16
/** Where in an echo its number and its payload are, which come back unchanged. */
const SEQUENCE = 6
const ECHO_REPLY = 0
const ECHO_REPLY_V6 = 129
/** Where things lie in the arena: message header, iovec, name, packet. */
const IOVEC = 64
const NAME = 128
const PACKET = 192
const MAX_PACKET = 1_500

/** A socket that takes echoes. */
export interface EchoSocket {
  readonly fd: number
  /** Packets come with their IP header. */
  readonly hasHeader: boolean
}

/** The ways to ping. */
export interface PingWays {
  /** Returns a socket for hosts with addresses of so many bytes, or why there is none. */
  readonly open: (addressLength: number) => EchoSocket | string
  /** The system's program: the round trip in milliseconds, `undefined` when nothing comes back, or there is none. */
  readonly program: (address: IpAddress) => Promise<number | undefined>
}

const ALL_WAYS: PingWays = { open: openEchoSocket, program: pingByIcmp }
const LOOPBACK: IpAddress = Uint8Array.of(127, 0, 0, 1)

/** Pings hosts, and says once when that cannot be. */
export class IcmpEcho {
  readonly #onMissing: (reason: string) => void
  readonly #ways: PingWays
  #isMissing = false

  /** @param onMissing - Hears once why there is no way to ping. */
  constructor(onMissing: (reason: string) => void, ways: PingWays = ALL_WAYS) {
    this.#onMissing = onMissing
    this.#ways = ways
  }

  /** Measures the round trip to a host in milliseconds; `undefined` when nothing comes back in two seconds. */
  async ping(address: IpAddress): Promise<number | undefined> {
    const socket = this.#ways.open(address.length)
    if (typeof socket === 'object') return echo(socket, address)
    const { program } = this.#ways
    const latency = await program(address)
    // No host is so near and does not answer: then it is the program.
    if (latency === undefined && (await program(LOOPBACK)) === undefined) this.#noteMissing(socket)
    return latency
  }

  #noteMissing(reason: string): void {
    if (this.#isMissing) return
    this.#isMissing = true
    this.#onMissing(reason)
  }
}

/** Returns a socket, or why there is none. */
function openEchoSocket(addressLength: number): EchoSocket | string {
  const reason = unsupportedReason()
  if (reason !== undefined) return reason
  const calls = linuxCalls()
  const isV4 = addressLength === 4
  const [family, protocol] = isV4 ? [AF_INET, PROTOCOL_ICMP] : [AF_INET6, PROTOCOL_ICMPV6]
  const flags = O_NONBLOCK | O_CLOEXEC
  const plain = calls.socket(family, SOCK_DGRAM | flags, protocol)
  if (plain >= 0) return { fd: plain, hasHeader: false }
  const raw = calls.socket(family, SOCK_RAW | flags, protocol)
  return raw >= 0 ? { fd: raw, hasHeader: isV4 } : describeErrno(raw)
}

async function echo({ fd, hasHeader }: EchoSocket, address: IpAddress): Promise<number | undefined> {
  const calls = linuxCalls()
  const arena = new Arena(new SharedArrayBuffer(PACKET + MAX_PACKET))
  try {
    const question = makeQuestion(address)
    const began = systemClock.now()
    if (send(arena, fd, address, question) < 0) return undefined
    for (let looked = 1; systemClock.now() - began < PATIENCE; looked += 1) {
      const length = calls.read(fd, arena, PACKET, MAX_PACKET)
      if (length > 0 && isAnswer(arena.bytes.subarray(PACKET, PACKET + length), hasHeader, question))
        return systemClock.now() - began
      if (length < 0 && length !== -EAGAIN) return undefined
      if (length < 0) await sleep(LOOK_INTERVAL)
      else if (looked % PACKETS_TOGETHER === 0) await turn()
    }
    return undefined
  } finally {
    calls.close(fd)
  }
}

/** An echo request without its IP header. */
function makeQuestion(address: IpAddress): Uint8Array {
  const [a = 0, b = 0, c = 0, d = 0, ...data] = systemRandom(4 + PAYLOAD_LENGTH)
  const numbers = { identifier: a * 0x100 + b, sequence: c * 0x100 + d }
  const nobody = new Uint8Array(address.length)
  const packet = encodeIcmpEcho(nobody, address, { kind: 'request', ...numbers, data: Uint8Array.from(data) })
  return packet.subarray(packet.length - PAYLOAD_LENGTH - ECHO_HEADER)
}

const ECHO_HEADER = 8

function send(arena: Arena, fd: number, address: IpAddress, packet: Uint8Array): number {
  const isV4 = address.length === 4
  const name = { offset: NAME, length: isV4 ? 16 : 28 }
  arena.bytes.fill(0, NAME, NAME + name.length)
  arena.bytes[NAME] = isV4 ? AF_INET : AF_INET6
  arena.bytes.set(address, NAME + (isV4 ? 4 : 8))
  arena.bytes.set(packet, PACKET)
  arena.setIovec(IOVEC, PACKET, packet.length)
  arena.setMessage(0, IOVEC, 1, name)
  return linuxCalls().sendmsg(fd, arena, 0, 0)
}

/** A socket for echoes has put its own identifier into the question, so that goes by number and payload alone. */
function isAnswer(packet: Uint8Array, hasHeader: boolean, question: Uint8Array): boolean {
  const at = hasHeader ? ((packet[0] ?? 0) & 0xf) * 4 : 0
  const type = packet[at]
  if (type !== ECHO_REPLY && type !== ECHO_REPLY_V6) return false
  const sent = question.subarray(SEQUENCE)
  return sent.every((byte, i) => packet[at + SEQUENCE + i] === byte)
}
