// The sockets of a plain tunnel: what they are asked to send and cannot.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { openUdpUnderlay } from '../../src/node/underlay.ts'

test('what is to go to port 0, from which a datagram may come, is dropped, and the next one goes', async () => {
  const far = createSocket('udp4').bind(0, '127.0.0.1')
  await once(far, 'listening')
  onTestFinished(() => void far.close())
  const underlay = await openUdpUnderlay(0, '127.0.0.1', () => undefined)
  onTestFinished(() => underlay.close())
  const batch = { bytes: Uint8Array.of(7), offsets: Int32Array.of(0), lengths: Int32Array.of(1), count: 1 }
  const address = Uint8Array.of(127, 0, 0, 1)
  underlay.send(batch, { address, port: 0 })
  underlay.send(batch, { address, port: far.address().port })
  const [bytes] = (await once(far, 'message')) as [Uint8Array]
  expect([...bytes]).toEqual([7])
})
