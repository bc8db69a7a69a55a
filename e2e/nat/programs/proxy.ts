// An HTTP proxy that knows CONNECT and nothing else: `proxy ADDRESS PORT`.
import { createServer } from 'node:http'
import { connect } from 'node:net'

const [address, port] = process.argv.slice(2)
const server = createServer((_request, response) => response.writeHead(405).end())
server.on('connect', (request, client) => {
  const { hostname, port: to } = new URL(`http://${request.url ?? ''}`)
  const target = connect(Number(to) || 80, hostname.replaceAll(/[[\]]/g, ''), () => {
    client.write('HTTP/1.1 200 OK\r\n\r\n')
    client.pipe(target)
    target.pipe(client)
  })
  target.on('error', () => client.destroy())
  client.on('error', () => target.destroy())
})
server.listen(Number(port), address, () => console.log('listening'))
process.on('SIGTERM', () => process.exit(0))
