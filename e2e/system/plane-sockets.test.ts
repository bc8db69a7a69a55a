// The Linux data plane's sockets fill magicsock's seat: paths can be found over the sockets that packets take.
import { unsupportedReason } from '@mesh/linux/node'
import { datagramSocketContract } from '@mesh/magicsock/contract'
import type { Endpoint } from '@mesh/wire/ip'
import { LinuxDataPlane } from '@mesh/wireguard/node'
import { afterEach, beforeEach, describe, test } from 'vitest'

const reason = unsupportedReason()
const open: LinuxDataPlane[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((plane) => plane.close()))
})

/** A plane without a TUN, its thread at work; nobody hears what it says. */
async function openPlane(): Promise<LinuxDataPlane> {
  const { promise: ready, resolve } = Promise.withResolvers<void>()
  const plane = new LinuxDataPlane({ tun: { fd: -1, mtu: 1280 }, onEvent: () => resolve() })
  open.push(plane)
  plane.attach({
    toOverlay: () => undefined,
    toUnderlay: () => undefined,
    onDatagrams: () => undefined,
    onActivity: () => undefined,
    onSource: () => undefined,
    onSessionEnd: () => undefined,
  })
  await ready
  return plane
}

function loopback({ sockets }: LinuxDataPlane): Endpoint {
  return { address: Uint8Array.of(127, 0, 0, 1), port: sockets.ports.v4 ?? 0 }
}

describe('the sockets of a Linux data plane keep the contract of DatagramSocket', () => {
  beforeEach(({ skip }) => {
    if (reason !== undefined) skip(reason)
  })

  datagramSocketContract(test, async () => {
    const [near, far] = await Promise.all([openPlane(), openPlane()])
    return { near: near.sockets, far: far.sockets, nearAt: loopback(near), farAt: loopback(far) }
  })
})
