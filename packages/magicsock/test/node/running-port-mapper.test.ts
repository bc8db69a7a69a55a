// The port mapper's socket: when it cannot be opened, and when it is closed while it opens.
import { Socket } from 'node:dgram'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import { parseAddress } from '@mesh/wire/ip'
import { afterEach, expect, test, vi } from 'vitest'
import { RunningPortMapper } from '../../src/node/port-mapping.ts'

afterEach(() => void vi.restoreAllMocks())

function mapper(): RunningPortMapper {
  const gateway = { address: parseAddress('127.0.0.1')!, self: parseAddress('127.0.0.1')! }
  return new RunningPortMapper({
    clock: systemClock,
    random: systemRandom,
    findGateway: () => Promise.resolve(gateway),
    onChange: () => undefined,
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
