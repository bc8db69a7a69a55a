// Two Linux data planes whose TUN is no TUN: a pair of sockets, at the far end of which somebody lays super-packets with
// virtio headers that lie, and genuine ones among them. Whatever is genuine must come out at the other plane byte by byte,
// and nothing may come out that contradicts itself. `lying-tun SECONDS` says one line of JSON a second.
import { randomInt } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { O_CLOEXEC, O_NONBLOCK, SOCK_DGRAM } from '@mesh/linux'
import { Arena, linuxCalls } from '@mesh/linux/node'
import { generateKeys, openWireGuard, type WireGuardNode } from '@mesh/wireguard/node'
import { pattern } from './pattern.ts'

const calls = linuxCalls()
const VIRTIO = 10
const [GSO_NONE, GSO_TCP_V4, GSO_UDP] = [0, 1, 5]
const [TCP, UDP] = [6, 17]
const MTU = 1_420
const MAX = 65_535
/** Ports of what is genuine; liars use others. */
const [STREAM_PORT, DATAGRAM_PORT, LIAR_PORT] = [2_000, 2_001, 6_666]
const seconds = Number(process.argv[2] ?? 5)

/** The far end of one plane's TUN. */
class FarEnd {
  readonly fd: number
  readonly #outer: number
  readonly #arena = new Arena(new SharedArrayBuffer(1 << 17))
  readonly bytes = Buffer.from(this.#arena.bytes.buffer)
  readonly number: number
  #sequence = 0
  #datagrams = 0

  constructor(number: number) {
    this.number = number
    calls.socketpair(SOCK_DGRAM | O_NONBLOCK | O_CLOEXEC, this.#arena, 0)
    this.fd = this.bytes.readInt32LE(0)
    this.#outer = this.bytes.readInt32LE(4)
  }

  get address(): number[] {
    return [10, 9, 0, this.number]
  }

  /** Lays a packet of a genuine flow: a super-packet of TCP, or one of UDP. `false` when the plane has no room. */
  layGenuine(to: FarEnd): boolean {
    return randomInt(2) === 0 ? this.#layStream(to) : this.#layDatagram(to)
  }

  /** Lays something that lies in one way or another. */
  layLie(to: FarEnd): boolean {
    const length = 40 + randomInt(randomInt(3) === 0 ? 65_000 : 3_000)
    this.#header(to, TCP, length, LIAR_PORT)
    // A view of what looks like nothing: buffers of its own would hide whether the planes beside it grow.
    this.bytes.set(pattern(randomInt(1 << 20), Math.min(length - 40, 2_000)), VIRTIO + 40)
    this.#virtio(GSO_TCP_V4, 40, 1 + randomInt(2_000), 20, 16)
    for (let lies = 1 + randomInt(3); lies > 0; lies -= 1) this.#lie(length)
    const cut = randomInt(5) === 0 ? 1 + randomInt(VIRTIO + length) : VIRTIO + length
    return this.#write(Math.min(cut, MAX))
  }

  /** Takes a packet that the plane has for its host; its length, or a negative number when there is none. */
  take(): number {
    return calls.read(this.#outer, this.#arena, 0, 1 << 17)
  }

  #layStream(to: FarEnd): boolean {
    const text = 1 + randomInt(30_000)
    this.#header(to, TCP, 40 + text, STREAM_PORT)
    this.bytes.writeUInt32BE(this.#sequence, VIRTIO + 24)
    this.bytes.set(pattern(this.#sequence, text), VIRTIO + 40)
    this.#virtio(text > MTU - 40 ? GSO_TCP_V4 : GSO_NONE, 40, MTU - 40, 20, 16)
    if (!this.#write(VIRTIO + 40 + text)) return false
    this.#sequence = (this.#sequence + text) % 2 ** 31
    return true
  }

  #layDatagram(to: FarEnd): boolean {
    const text = 4 + randomInt(MTU - 32)
    this.#header(to, UDP, 28 + text, DATAGRAM_PORT)
    this.bytes.writeUInt16BE(8 + text, VIRTIO + 24)
    this.bytes.writeUInt16BE(0, VIRTIO + 26)
    this.bytes.writeUInt32BE(this.#datagrams, VIRTIO + 28)
    this.bytes.set(pattern(this.#datagrams, text - 4), VIRTIO + 32)
    this.#virtio(GSO_NONE, 0, 0, 0, 0)
    this.bytes[0] = 0
    if (!this.#write(VIRTIO + 28 + text)) return false
    this.#datagrams += 1
    return true
  }

  #header(to: FarEnd, protocol: number, length: number, port: number): void {
    this.bytes.fill(0, VIRTIO, VIRTIO + 40)
    this.bytes.set([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0, ...this.address, ...to.address], VIRTIO)
    this.bytes.writeUInt16BE(Math.min(length, MAX), VIRTIO + 2)
    this.bytes.writeUInt16BE(port, VIRTIO + 20)
    this.bytes.writeUInt16BE(port, VIRTIO + 22)
    this.bytes[VIRTIO + 32] = 0x50
    this.bytes[VIRTIO + 33] = 0x10
  }

  #virtio(kind: number, header: number, segment: number, checksumAt: number, checksumField: number): void {
    this.bytes.set([1, kind], 0)
    for (const [i, word] of [header, segment, checksumAt, checksumField].entries())
      this.bytes.writeUInt16LE(word, 2 + 2 * i)
  }

  #lie(length: number): void {
    const word = randomInt(3) === 0 ? randomInt(65_536) : randomInt(80)
    switch (randomInt(9)) {
      case 0:
        this.bytes[1] = randomInt(2) === 0 ? randomInt(256) : (GSO_UDP ?? 5)
        return
      case 1:
        this.bytes.writeUInt16LE(word, 2 + 2 * randomInt(4))
        return
      case 2:
        this.bytes[0] = randomInt(256)
        return
      case 3:
        this.bytes.writeUInt16BE(word, VIRTIO + 2) // the packet's own length
        return
      case 4:
        this.bytes[VIRTIO] = randomInt(256) // version and length of its header
        return
      case 5:
        this.bytes[VIRTIO + 32] = randomInt(256) // the length of TCP's
        return
      case 6:
        this.bytes.writeUInt16BE(randomInt(65_536), VIRTIO + 6) // fragments
        return
      case 7:
        this.bytes[VIRTIO + 9] = randomInt(256) // the protocol
        return
      default:
        this.bytes[VIRTIO + 24 + randomInt(Math.max(1, length - 24))] = randomInt(256)
    }
  }

  #write(length: number): boolean {
    return calls.write(this.#outer, this.#arena, 0, length) === length
  }
}

const books = { genuine: 0, lies: 0, delivered: 0, verifiedBytes: 0, wrong: 0, restarts: 0 }

/** Compares what came out with what must have gone in. */
function check(end: FarEnd, length: number, from: FarEnd): void {
  const { bytes } = end
  const ip = length - VIRTIO
  books.delivered += 1
  if (ip < 20 || bytes.readUInt16BE(VIRTIO + 2) !== ip || (bytes[VIRTIO] ?? 0) >> 4 !== 4)
    return wrong('a length that contradicts itself')
  const header = ((bytes[VIRTIO] ?? 0) & 15) * 4
  if (ip < header + 20 || !bytes.subarray(VIRTIO + 12, VIRTIO + 16).equals(Buffer.from(from.address))) return
  const at = VIRTIO + header
  const [source, destination] = [bytes.readUInt16BE(at), bytes.readUInt16BE(at + 2)]
  if (source !== destination) return
  if (source === STREAM_PORT && bytes[VIRTIO + 9] === TCP) {
    return compare(bytes.subarray(at + ((bytes[at + 12] ?? 0) >> 4) * 4, length), bytes.readUInt32BE(at + 4))
  }
  if (source === DATAGRAM_PORT && bytes[VIRTIO + 9] === UDP)
    compare(bytes.subarray(at + 12, length), bytes.readUInt32BE(at + 8))
}

function compare(text: Buffer, place: number): void {
  if (!pattern(place, text.length).equals(text)) return wrong(`bytes at ${place}`)
  books.verifiedBytes += text.length
}

function wrong(what: string): void {
  books.wrong += 1
  console.log(JSON.stringify({ event: 'wrong', what }))
}

async function open(
  end: FarEnd,
  keys: ReturnType<typeof generateKeys>,
  other: FarEnd,
  key: string,
  port?: number,
): Promise<WireGuardNode> {
  return openWireGuard({
    privateKey: keys.privateKey,
    tun: { fd: end.fd, mtu: MTU },
    address: '127.0.0.1',
    onEvent: (event) => {
      if (!['restarted', 'failed', 'tun-lost'].includes(event.event)) return
      books.restarts += 1
      console.log(JSON.stringify(event))
    },
    peers: [
      {
        publicKey: key,
        allowedIps: [other.address.join('.')],
        ...(port === undefined ? {} : { endpoint: `127.0.0.1:${port}` }),
      },
    ],
  })
}

const [near, far] = [new FarEnd(1), new FarEnd(2)]
const [nearKeys, farKeys] = [generateKeys(), generateKeys()]
const there = await open(far, farKeys, near, nearKeys.publicKey)
const here = await open(near, nearKeys, far, farKeys.publicKey, there.port)
const say = (): void => console.log(JSON.stringify({ event: 'books', ...process.memoryUsage(), ...books }))

let next = Date.now() + 1_000
for (const end = Date.now() + seconds * 1_000; Date.now() < end; ) {
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    for (let i = 0; i < 32; i += 1) {
      const lies = randomInt(3) > 0
      if (!(lies ? from.layLie(to) : from.layGenuine(to))) break
      if (lies) books.lies += 1
      else books.genuine += 1
    }
    for (let length = to.take(); length >= 0; length = to.take()) check(to, length, from)
  }
  await setImmediate()
  if (Date.now() < next) continue
  say()
  next += 1_000
}
say()
await here.close()
await there.close()
process.exit(0)
