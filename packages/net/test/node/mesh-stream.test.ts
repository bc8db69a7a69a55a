// Streams through two engines and the wire between them: what takes a socket takes them.
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { MeshStream } from '@mesh/net/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type End, makeWire, type Wire } from '../support.ts'

let wire: Wire
let pump: NodeJS.Timeout
beforeEach(() => {
  wire = makeWire()
  pump = setInterval(() => {
    wire.clock.advanceBy(1)
    wire.carry()
  }, 1)
})
afterEach(() => clearInterval(pump))

function dial(from: End, to: End, port: number): MeshStream {
  const stream = new MeshStream()
  return stream.attach(from.host.connectTcp(to.address, port, stream.events()))
}

function listen(end: End, port: number, onStream: (stream: MeshStream) => void): void {
  end.host.listenTcp(port, (connection) => {
    const stream = new MeshStream().attach(connection)
    onStream(stream)
    return stream.events()
  })
}

test('HTTP goes through the mesh', async () => {
  const server = createServer((query, answer) => answer.end(`you asked for ${query.url}`))
  listen(wire.b, 80, (stream) => server.emit('connection', stream))
  const stream = dial(wire.a, wire.b, 80)
  const call = request({ path: '/hello', createConnection: () => stream })
  call.end()
  const [response] = (await once(call, 'response')) as [AsyncIterable<Uint8Array>]
  let body = ''
  for await (const part of response) body += new TextDecoder().decode(part)
  expect(body).toBe('you asked for /hello')
})

test('a megabyte arrives whole and in order, and both sides end', async () => {
  const sent = new Uint8Array(1_000_000).map((_, at) => at % 251)
  const received = new Promise<Buffer>((resolve) => {
    listen(wire.b, 9, (stream) => {
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', () => {
        resolve(Buffer.concat(parts))
        stream.end('thanks')
      })
    })
  })
  const stream = dial(wire.a, wire.b, 9)
  stream.end(sent)
  expect(await text(stream)).toBe('thanks')
  expect(Buffer.compare(await received, sent)).toBe(0)
})

test('a reader that does not read stops the writer, and reading lets it go on', async () => {
  let far: MeshStream | undefined
  listen(wire.b, 9, (stream) => {
    far = stream
  })
  const stream = dial(wire.a, wire.b, 9)
  let written = 0
  const mayGoOn = async (): Promise<boolean> => {
    const drained = once(stream, 'drain').then(() => true)
    return Promise.race([drained, new Promise<boolean>((resolve) => setTimeout(resolve, 300, false))])
  }
  const write = (): boolean => {
    written += 100_000
    return stream.write(new Uint8Array(100_000))
  }
  for (let tries = 0; tries < 500; tries += 1) if (!write() && !(await mayGoOn())) break
  expect(written).toBeLessThan(20_000_000)
  far?.resume()
  expect(await mayGoOn()).toBe(true)
})

test('a port where nobody listens refuses', async () => {
  const [error] = (await once(dial(wire.a, wire.b, 81), 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNREFUSED')
})

test('a stream that is destroyed breaks the connection off', async () => {
  const broken = new Promise<string | undefined>((resolve) => {
    listen(wire.b, 9, (stream) => stream.on('error', (error: NodeJS.ErrnoException) => resolve(error.code)))
  })
  const stream = dial(wire.a, wire.b, 9)
  await once(stream, 'connect')
  stream.destroy()
  expect(await broken).toBe('ECONNRESET')
})
