// A network without UDP, as far as loopback can show it: STUN is not answered, the relay speaks TLS, and magicsock
// measures it over HTTPS, and makes it home.
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createRelay, selfSignedCertificate } from '@mesh/derp-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { measureRelayByHttps, openMagicSock } from '@mesh/magicsock/node'
import { systemRandom } from '@mesh/sansio/node'
import { parseAddress } from '@mesh/wire/ip'
import { expect, test } from 'vitest'

async function openRelay() {
  const relay = createRelay({ privateKey: generatePrivateKey(systemRandom) })
  const certificate = selfSignedCertificate('relay.example')
  const server = createServer(certificate, (request, response) => {
    if (!relay.handleRequest(request, response)) response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    target: { hostName: 'relay.example', address: '127.0.0.1', port },
    root: certificate.cert,
    [Symbol.asyncDispose]: async () => {
      relay.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('a relay is measured over TLS when it is who it should be, and not otherwise', async () => {
  await using relay = await openRelay()
  expect(await measureRelayByHttps({ ...relay.target, roots: [relay.root] })).toBeGreaterThan(0)
  expect(await measureRelayByHttps(relay.target)).toBeUndefined()
  const impostor = { ...relay.target, hostName: 'other.example', roots: [relay.root] }
  expect(await measureRelayByHttps(impostor)).toBeUndefined()
})

test('D15, S1: where no STUN server answers, what HTTPS measures makes a home', async () => {
  await using relay = await openRelay()
  const connected: number[] = []
  const sock = await openMagicSock({
    keys: { nodeKey: new Uint8Array(32).fill(1) },
    allowLoopback: true,
    relays: {
      connect: (region) => {
        connected.push(region)
        return { send: () => undefined, notePreferred: () => undefined, close: () => undefined }
      },
    },
    measureRelay: (region) =>
      region === 1
        ? measureRelayByHttps({ ...relay.target, roots: [relay.root] })
        : Promise.resolve(undefined),
  })
  try {
    // A port of this machine where nobody answers: packets to anywhere else would leave it.
    const silent = { name: '', hostName: '', ipv4: parseAddress('127.0.0.1'), ipv6: undefined, stunPort: 9 }
    const region = (id: number) => ({ id, code: `r${id}`, noMeasureNoHome: false, score: 1, nodes: [silent] })
    sock.setRelays(new Map([1, 2].map((id) => [id, region(id)])))
    const report = await sock.netcheck()
    expect(report.udp).toBe(false)
    expect([...report.regionLatency.keys()]).toEqual([1])
    expect(sock.homeRelay).toBe(1)
    expect(connected).toContain(1)
  } finally {
    await sock.close()
  }
})
