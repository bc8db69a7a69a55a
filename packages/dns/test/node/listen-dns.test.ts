import { createSocket, type RemoteInfo, Socket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { EventEmitter } from 'node:events'
import { connect } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { TxtZone } from '../../src/index.ts'
import { type DnsListener, listenDns } from '../../src/node/index.ts'
import { query } from '../support.ts'

const texts = Array.from({ length: 16 }, (_, i) => `${i}`.padStart(200, 'x'))
const zone = new TxtZone({
  origin: 'mesh.example',
  nameservers: ['control.example'],
  texts: (name) => (name === 'long.mesh.example' ? texts : name === 'a.mesh.example' ? ['one'] : []),
})
const open: DnsListener[] = []

afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close()
})

async function listen(): Promise<DnsListener> {
  const listener = await listenDns({
    host: '127.0.0.1',
    port: 0,
    answer: (bytes, context) => zone.handleQuery(bytes, context),
  })
  open.push(listener)
  return listener
}

test('a resolver gets its answer by UDP, and one too long for that by TCP', async () => {
  const { port } = await listen()
  const resolver = new Resolver({ timeout: 2000, tries: 2 })
  resolver.setServers([`127.0.0.1:${port}`])
  expect(await resolver.resolveTxt('a.mesh.example')).toEqual([['one']])
  expect((await resolver.resolveTxt('long.mesh.example')).flat().toSorted()).toEqual(texts.toSorted())
  await expect(resolver.resolveTxt('b.mesh.example')).rejects.toMatchObject({ code: 'ENODATA' })
})

test('threat 26: a query from port 0, which nothing can be sent to, gets no answer, and the next one does', async () => {
  let asked = 0
  const answer = (): Uint8Array => new Uint8Array(12).fill((asked += 1))
  const listener = await listenDns({ host: '127.0.0.1', port: 0, answer })
  open.push(listener)
  const zero = comeFromPortZero()
  const udp = createSocket('udp4')
  const answers: number[] = []
  udp.on('message', (bytes) => answers.push(bytes[0] ?? 0))
  udp.send(new Uint8Array(12), listener.port, '127.0.0.1')
  await expect.poll(() => zero.heard).toBe(1)
  zero.end()
  udp.send(new Uint8Array(12), listener.port, '127.0.0.1')
  await expect.poll(() => answers).toEqual([1])
  udp.close()
})

test('threat 26: junk by UDP gets no answer, and by TCP the connection ends', async () => {
  const { port } = await listen()
  const udp = createSocket('udp4')
  udp.on('message', () => expect.unreachable('junk was answered'))
  udp.send(new Uint8Array(5), port, '127.0.0.1')
  udp.send(new Uint8Array(0), port, '127.0.0.1')
  const tcp = connect(port, '127.0.0.1')
  tcp.write(Uint8Array.of(0, 5, 1, 2, 3, 4, 5))
  await new Promise((resolve) => tcp.on('close', resolve))
  udp.close()
})

test('threat 26: a byte now and then does not keep a connection', async () => {
  const { port } = await listen()
  const tcp = connect(port, '127.0.0.1')
  tcp.on('error', () => undefined)
  const timer = setInterval(() => tcp.write(Uint8Array.of(1)), 500)
  const began = performance.now()
  await new Promise((resolve) => tcp.on('close', resolve))
  clearInterval(timer)
  expect(performance.now() - began).toBeLessThan(60_000)
})

test('messages cut anywhere, and several at once, are answered in turn', async () => {
  const { port } = await listen()
  const message = query('a.mesh.example', 'TXT')
  const framed = Buffer.concat([Uint8Array.of(message.length >> 8, message.length & 255), message])
  const tcp = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  tcp.on('data', (chunk: Buffer) => chunks.push(chunk))
  for (const byte of framed) tcp.write(Uint8Array.of(byte))
  tcp.write(Buffer.concat([framed, framed]))
  for (const end = Date.now() + 5000; Date.now() < end; await new Promise((go) => setTimeout(go, 10))) {
    const all = Buffer.concat(chunks)
    if (all.length > 0 && all.length === 3 * (2 + all.readUInt16BE(0))) break
  }
  const all = Buffer.concat(chunks)
  expect(all.length).toBe(3 * (2 + all.readUInt16BE(0)))
  tcp.destroy()
})

/** Datagrams seem to come from port 0 until this is ended: raw sockets can send such, ours cannot. */
function comeFromPortZero(): { readonly heard: number; readonly end: () => void } {
  const emit: Socket['emit'] = Reflect.get(EventEmitter.prototype, 'emit')
  let heard = 0
  const spy = vi.spyOn(Socket.prototype, 'emit').mockImplementation(function (
    this: Socket,
    ...args: unknown[]
  ) {
    const [event, bytes, from] = args
    if (event !== 'message') return Reflect.apply(emit, this, args)
    heard += 1
    return Reflect.apply(emit, this, [event, bytes, { ...(from as RemoteInfo), port: 0 }])
  })
  return {
    get heard() {
      return heard
    },
    end: () => spy.mockRestore(),
  }
}
