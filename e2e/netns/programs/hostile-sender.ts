// Somebody on the network who means harm: sends datagrams of every shape to one port for as long as it is told to, by
// themselves and in the kernel's trains. It has no key, so nothing it sends may have any effect. Says `sent N` at the end.
import { randomBytes, randomInt } from 'node:crypto'
import { AF_INET, MSG_DONTWAIT, O_NONBLOCK, SOCK_DGRAM, SOL_UDP, UDP_SEGMENT } from '@mesh/linux'
import { Arena, linuxCalls } from '@mesh/linux/node'

const [, , address = '192.0.2.1', port = '51820', seconds = '5'] = process.argv
const calls = linuxCalls()
const arena = new Arena(new SharedArrayBuffer(1 << 17))
const view = new DataView(arena.bytes.buffer)
const fd = calls.socket(AF_INET, SOCK_DGRAM | O_NONBLOCK)
const [HEADER, IOVEC, NAME, CONTROL, DATA] = [0, 64, 128, 192, 256]
const DATA_BYTES = 65_000

view.setUint16(NAME, AF_INET, true)
view.setUint16(NAME + 2, Number(port))
arena.bytes.set(address.split('.').map(Number), NAME + 4)

/** Bytes that look like something: a message type in front, or nothing at all. */
function fill(length: number, segment: number): void {
  arena.bytes.set(randomBytes(Math.min(length, 4_096)), DATA)
  for (let at = 0; at < length; at += segment) {
    const type = randomInt(8)
    if (type < 6) view.setUint32(DATA + at, type, true)
    if (randomInt(4) === 0) view.setUint32(DATA + at + 4, randomInt(3), true)
  }
}

/** Sends a train, or one datagram when `segment` is 0. */
function send(length: number, segment: number): boolean {
  fill(length, segment === 0 ? length + 1 : segment)
  arena.setIovec(IOVEC, DATA, length)
  view.setBigUint64(CONTROL, 18n, true)
  view.setInt32(CONTROL + 8, SOL_UDP, true)
  view.setInt32(CONTROL + 12, UDP_SEGMENT, true)
  view.setUint16(CONTROL + 16, segment, true)
  const control = segment === 0 ? undefined : { offset: CONTROL, length: 24 }
  arena.setMessage(HEADER, IOVEC, 1, { offset: NAME, length: 16 }, control)
  return calls.sendmsg(fd, arena, HEADER, MSG_DONTWAIT) >= 0
}

let sent = 0
for (const end = Date.now() + Number(seconds) * 1_000; Date.now() < end; ) {
  const single = randomInt(3) === 0
  const segment = single ? 0 : 1 + randomInt(1_472)
  const length = single ? randomInt(DATA_BYTES) : Math.min(DATA_BYTES, segment * (1 + randomInt(64)))
  if (send(length, segment)) sent += 1
}
console.log(`sent ${sent}`)
