// The kernel's TCP with a program behind it that sends everything back: `echo-server PORT`.
import { createServer } from 'node:net'

const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => undefined)
  socket.pipe(socket)
})
server.listen(Number(process.argv[2]), () => console.log('listening'))
process.on('SIGTERM', () => process.exit(0))
