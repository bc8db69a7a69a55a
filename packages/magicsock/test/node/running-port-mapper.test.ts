// The port mapper's socket: when it cannot be opened, when it is closed while it opens, and what leaves by it in the end.
import { createSocket, Socket } from 'node:dgram'
import { once } from 'node:events'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import { parseAddress } from '@mesh/wire/ip'
import { afterEach, expect, test, vi } from 'vitest'
import { RunningPortMapper } from '../../src/node/port-mapping.ts'

afterEach(() => void vi.restoreAllMocks())

function mapper(at = '127.0.0.1', onMapping: () => void = () => undefined): RunningPortMapper {
  const gateway = { address: parseAddress(at)!, self: parseAddress('127.0.0.1')! }
  return new RunningPortMapper({
    clock: systemClock,
    random: systemRandom,
    findGateway: () => Promise.resolve(gateway),
    onChange: (mapping) => mapping && onMapping(),
  })
}

test('a socket that cannot be opened is no reason to end, and the next update tries again', async () => {
  const bind = vi.spyOn(Socket.prototype, 'bind').mockImplementation(function (this: Socket) {
    process.nextTick(() => this.emit('error', new Error('bind EMFILE')))
    return this
  })
  const running = mapper()
  await running.update(41_641)
  await running.update(41_641)
  expect(bind).toHaveBeenCalledTimes(2)
  await running.close()
})

test('closing while the socket opens leaves nobody waiting', async () => {
  const running = mapper()
  const updating = running.update(41_641)
  // Two turns: the gateway is found, and the socket is being bound.
  await Promise.resolve()
  await Promise.resolve()
  await running.close()
  await expect(updating).resolves.toBeUndefined()
})

test('a mapping is taken back before the socket is closed, however soon that is', async () => {
  const asked: string[] = []
  const gateway = createSocket('udp4').bind(0, '127.0.0.1')
  await once(gateway, 'listening')
  const heard = new Promise<void>((resolve) => {
    gateway.on('message', (bytes) => {
      asked.push(bytes.toString('hex'))
      if (bytes.length === MAP_REQUEST && bytes.readUInt32BE(8) === 0) resolve()
    })
  })
  sendAllTo(gateway.address().port)
  const mapped = Promise.withResolvers<void>()
  const running = mapper('192.168.77.1', mapped.resolve)
  await running.update(41_641)
  await mapped.promise
  await running.close()
  await Promise.race([heard, new Promise((resolve) => setTimeout(resolve, 2_000))])
  expect(asked).toContain('000100 00a2a9 0000 00000000'.replaceAll(' ', ''))
  gateway.close()
})

/** Bytes of a NAT-PMP request for a mapping. */
const MAP_REQUEST = 12

/** Whatever leaves a socket goes to this port here; a gateway that speaks NAT-PMP answers in its own name. */
function sendAllTo(port: number): void {
  const send: Socket['send'] = Reflect.get(Socket.prototype, 'send')
  vi.spyOn(Socket.prototype, 'send').mockImplementation(function (this: Socket, ...args: unknown[]) {
    const bytes = args[0] as Uint8Array
    Reflect.apply(send, this, [bytes, port, '127.0.0.1', () => undefined])
    if (bytes.length !== 2 && bytes.length !== MAP_REQUEST) return
    const answer = bytes.length === 2 ? '008000000000000a c6336407' : '008100000000000a a2a9 a2a9 00000e10'
    const from = { address: '192.168.77.1', port: 5351 }
    setImmediate(() => this.emit('message', Buffer.from(answer.replaceAll(' ', ''), 'hex'), from))
  })
}
