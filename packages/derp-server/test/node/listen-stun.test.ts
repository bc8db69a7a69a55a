// The STUN answerer on real UDP sockets.
import { createSocket, type RemoteInfo, Socket } from 'node:dgram'
import { EventEmitter, once } from 'node:events'
import { expect, onTestFinished, test, vi } from 'vitest'
import { formatEndpoint } from '@mesh/wire/ip'
import { decodeBindingResponse, encodeBindingRequest } from '@mesh/wire/stun'
import { listenStun } from '../../src/node/index.ts'

async function ask(type: 'udp4' | 'udp6', host: string, port: number): Promise<{ said: string; is: string }> {
  const socket = createSocket(type)
  socket.send(encodeBindingRequest(new Uint8Array(12).fill(5)), port, host)
  const [answer] = (await once(socket, 'message')) as [Uint8Array]
  const observed = decodeBindingResponse(answer)?.observed
  const own = socket.address().port
  socket.close()
  return { said: observed ? formatEndpoint(observed) : 'nothing', is: String(own) }
}

test('S18: tells a client over IPv4 where it was seen, counts it, and ignores noise', async () => {
  const stun = await listenStun({ port: 0, address: '127.0.0.1' })
  const { said, is } = await ask('udp4', '127.0.0.1', stun.port)
  expect(said).toBe(`127.0.0.1:${is}`)
  const noisy = createSocket('udp4')
  noisy.send('hello', stun.port, '127.0.0.1')
  while (stun.ignored === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  noisy.close()
  expect(stun.answered).toBe(1)
  await Promise.all([stun.close(), stun.close()])
})

test('S18: listens for IPv4 and IPv6 on one port', async (context) => {
  const stun = await listenStun({ port: 0 })
  expect((await ask('udp4', '127.0.0.1', stun.port)).said).toMatch(/^127\.0\.0\.1:/)
  const ipv6 = await ask('udp6', '::1', stun.port).catch(() => undefined)
  await stun.close()
  if (ipv6 === undefined) return context.skip('this machine has no IPv6 on loopback')
  expect(ipv6.said).toBe(`[::1]:${ipv6.is}`)
})

test('a request from port 0, which nothing can be sent to, is ignored, and the next one answered', async () => {
  const stun = await listenStun({ port: 0, address: '127.0.0.1' })
  onTestFinished(() => stun.close())
  const asNow = comeFromPortZero()
  const asker = createSocket('udp4')
  asker.send(encodeBindingRequest(new Uint8Array(12).fill(5)), stun.port, '127.0.0.1')
  await expect.poll(() => stun.ignored).toBe(1)
  asNow()
  asker.close()
  expect((await ask('udp4', '127.0.0.1', stun.port)).said).toMatch(/^127\.0\.0\.1:/)
})

test('a port that is taken is said to be taken', async () => {
  const stun = await listenStun({ port: 0, address: '127.0.0.1' })
  await expect(listenStun({ port: stun.port, address: '127.0.0.1' })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
  await stun.close()
})

/** Datagrams seem to come from port 0 until this is taken back: raw sockets can send such, ours cannot. */
function comeFromPortZero(): () => void {
  const emit: Socket['emit'] = Reflect.get(EventEmitter.prototype, 'emit')
  const spy = vi.spyOn(Socket.prototype, 'emit').mockImplementation(function (
    this: Socket,
    ...args: unknown[]
  ) {
    const [event, bytes, from] = args
    const seen = event === 'message' ? [event, bytes, { ...(from as RemoteInfo), port: 0 }] : args
    return Reflect.apply(emit, this, seen)
  })
  return () => spy.mockRestore()
}
