// Two nodes and a way that is bad all the time. What may befall them otherwise is for the random histories of
// `fuzz.test.ts`.
import { SimNet } from '@mesh/simnet'
import { expect, test } from 'vitest'
import { introduce, Node, regionOf } from './magicsock-support.ts'

test('D8: a way that loses a fifth of everything is still the direct way most of the time', () => {
  const net = new SimNet({ seed: 7 })
  const relays = regionOf([net.stunServer()])
  const relay = net.relay()
  const [one, two] = [1, 2].map(
    (id) => new Node({ id, net, host: net.host({ behind: net.nat() }), relay, relays }),
  )
  introduce(net, one!, two!)
  for (let t = 0; t < 10_000; t += 500) {
    one!.send(2, t)
    two!.send(1, t)
    net.clock.advanceBy(500)
  }
  for (const node of [one!, two!]) node.host.link.loss = 0.1
  let direct = 0
  for (let i = 0; i < 600; i++) {
    one!.send(2, i)
    net.clock.advanceBy(500)
    if (one!.isDirect(2)) direct += 1
  }
  expect(direct / 600).toBeGreaterThan(0.8)
})
