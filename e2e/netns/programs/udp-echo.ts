// `udp-echo serve PORT` sends every datagram back; `udp-echo ask ADDRESS PORT COUNT` asks once from each of so many ports
// and says `answers N` at the end.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

const [, , verb, ...rest] = process.argv

if (verb === 'serve') {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, { port, address }) => socket.send(bytes, port, address))
  socket.bind(Number(rest[0]), () => console.log('serving'))
} else {
  const [address, port, count] = [rest[0] ?? '', Number(rest[1]), Number(rest[2])]
  let answers = 0
  for (let i = 0; i < count; i += 1) {
    const socket = createSocket('udp4')
    socket.bind(30_000 + i)
    await once(socket, 'listening')
    const answer = once(socket, 'message').then(() => true)
    socket.send('?', port, address)
    const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), 1_000))
    if (await Promise.race([answer, late])) answers += 1
    socket.close()
  }
  console.log(`answers ${answers}`)
  process.exit(0)
}
