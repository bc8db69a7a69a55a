// Doors on real sockets: opened by the first datagram, and closed for good.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { parseAddress } from '@mesh/wire/ip'
import { expect, onTestFinished, test } from 'vitest'
import type { DatagramSocket, Hop } from '../../src/index.ts'
import { DoorSockets } from '../../src/node/door-sockets.ts'
import { Nat64Sockets } from '../../src/node/nat64-sockets.ts'

/** What translates here: doors have sockets of their own, these are used for nothing. */
const UNUSED: DatagramSocket = {
  ports: { v4: undefined, v6: undefined },
  listen: () => undefined,
  send: () => undefined,
  rebind: () => Promise.resolve(),
  close: () => Promise.resolve(),
}

/** Behind this prefix 0.0.0.1 is ::1, so that this machine plays the translator. */
const ZEROS = new Uint8Array(12)

test.each([
  ['udp4', '127.0.0.1', '127.0.0.1', undefined],
  ['udp6', '::1', '0.0.0.1', ZEROS],
] as const)(
  'a door over %s takes a datagram out and the answer in',
  async (type, outside, inside, prefix) => {
    const echo = createSocket(type).bind(0, outside)
    await once(echo, 'listening')
    onTestFinished(() => void echo.close())
    echo.on('message', (bytes, { address, port }) => echo.send(bytes, port, address))
    const nat64 = new Nat64Sockets(UNUSED)
    nat64.setPrefix(prefix)
    const answer = Promise.withResolvers<readonly [string, Hop]>()
    const doors = new DoorSockets(nat64, (bytes, from) => answer.resolve([bytes.join(), from]))
    onTestFinished(() => doors.closeAll())
    const to = { address: parseAddress(inside)!, port: echo.address().port }
    // From port 0 something may come, but nothing can go there.
    doors.send(8, Uint8Array.of(1), { ...to, port: 0 })
    doors.send(7, Uint8Array.of(1, 2), to)
    expect(await answer.promise).toEqual(['1,2', { ...to, door: 7 }])
  },
)
