// A node that relays for its peers: the port it is to have, and when it cannot have it.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { PeerRelayHost } from '../../src/node/peer-relay.ts'

function makeHost(): { host: PeerRelayHost; ports: () => (number | undefined)[] } {
  const said: (number | undefined)[] = []
  const log = (_level: string, text: string, fields?: Readonly<Record<string, unknown>>): void => {
    if (text === 'relaying for peers') said.push(fields?.['port'] as number)
  }
  const sock = { setPeerRelay: (relay: unknown) => void (relay ?? said.push(undefined)) }
  const host = new PeerRelayHost(sock, { allowLoopback: true, log })
  onTestFinished(() => host.close())
  return { host, ports: () => said.splice(0) }
}

test('a port that another program has is trouble that a person sees, for as long as it is wished', async () => {
  const taken = createSocket('udp4').bind(0)
  onTestFinished(() => void taken.close())
  await once(taken, 'listening')
  const { host } = makeHost()
  const { port } = taken.address()
  await host.setPort(port)
  expect(host.trouble).toBe(
    `This node does not relay for its peers. UDP port ${port} is in use by another program: choose another, or 0 for any.`,
  )
  await host.setPort(0)
  expect(host.trouble).toBe('')
  await host.setPort(port)
  await host.setPort(undefined)
  expect(host.trouble).toBe('')
})

test('what is wished after the end opens nothing', async () => {
  const { host, ports } = makeHost()
  await host.setPort(0)
  expect(ports()).toEqual([undefined, expect.any(Number)])
  await host.close()
  await host.setPort(0)
  expect(ports()).toEqual([undefined, undefined])
})
