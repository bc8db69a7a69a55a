// The longest train of datagrams there is, 65,507 bytes in segments of 1,200: `train send ADDRESS PORT` sends one in one
// call; `train receive PORT` says `listening`, then `got N datagrams, M bytes` whenever some have come.
import { createSocket } from 'node:dgram'
import { AF_INET, SOCK_DGRAM, SOL_UDP, UDP_SEGMENT } from '@mesh/linux'
import { Arena, linuxCalls } from '@mesh/linux/node'

const [, , verb, ...rest] = process.argv
const BYTES = 65_507
const SEGMENT = 1_200

if (verb === 'send') send(rest[0] ?? '', Number(rest[1]))
else receive(Number(rest[0]))

function send(address: string, port: number): void {
  const calls = linuxCalls()
  const arena = new Arena(new SharedArrayBuffer(1 << 17))
  const view = new DataView(arena.bytes.buffer)
  const [header, iovec, name, control, data] = [0, 64, 128, 192, 256]
  view.setUint16(name, AF_INET, true)
  view.setUint16(name + 2, port)
  arena.bytes.set(address.split('.').map(Number), name + 4)
  view.setBigUint64(control, 18n, true)
  view.setInt32(control + 8, SOL_UDP, true)
  view.setInt32(control + 12, UDP_SEGMENT, true)
  view.setUint16(control + 16, SEGMENT, true)
  arena.setIovec(iovec, data, BYTES)
  arena.setMessage(header, iovec, 1, { offset: name, length: 16 }, { offset: control, length: 24 })
  console.log(`sent ${calls.sendmsg(calls.socket(AF_INET, SOCK_DGRAM), arena, header, 0)}`)
}

function receive(port: number): void {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 })
  let datagrams = 0
  let bytes = 0
  socket.on('message', (message) => {
    datagrams += 1
    bytes += message.length
    console.log(`got ${datagrams} datagrams, ${bytes} bytes`)
  })
  socket.bind(port, () => console.log('listening'))
}
