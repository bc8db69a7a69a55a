// Whom a client believes: names and pins of the map, authorities of its own, and never the certificate in which a relay
// announces its key.
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import type { DerpEvent, RelayNode } from '@mesh/derp-client'
import { connectDerp, type DerpConnectionOptions } from '@mesh/derp-client/node'
import {
  type CertificatePair,
  certificatePin,
  createRelay,
  metaCertificate,
  selfSignedCertificate,
} from '@mesh/derp-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'

interface TlsRelay extends AsyncDisposable {
  readonly port: number
  /** The names that clients asked for in TLS. */
  readonly asked: unknown[]
}

/** A relay whose TLS server presents this chain, behind it the certificate that announces its key. */
async function relayWith(pair: CertificatePair, more = ''): Promise<TlsRelay> {
  const relay = createRelay({ privateKey: generatePrivateKey(systemRandom) })
  const server = createServer({ key: pair.key, cert: pair.cert + more + metaCertificate(relay.publicKey) })
  const asked: unknown[] = []
  server.on('secureConnection', (socket: TLSSocket) => asked.push(socket.servername))
  server.on('tlsClientError', () => undefined)
  server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      relay.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Connects to a node of the map; returns `connected`, or the code of what was in the way. */
async function outcome(
  relay: TlsRelay,
  node: Partial<RelayNode>,
  options: Partial<DerpConnectionOptions> = {},
): Promise<string> {
  const Nodes = [
    { Name: '1a', HostName: '127.0.0.1', IPv4: '127.0.0.1', IPv6: 'none', DERPPort: relay.port, ...node },
  ]
  const privateKey = generatePrivateKey(systemRandom)
  const connection = connectDerp({ region: { RegionID: 1, Nodes }, privateKey, ...options })
  const event = await new Promise<DerpEvent>((resolve) => connection.onEvent(resolve))
  connection.close()
  return event.event === 'disconnected' ? event.error.code : event.event
}

const pinOf = (pair: CertificatePair): string => certificatePin(new X509Certificate(pair.cert).raw)
const YEAR = 365 * 86_400_000

test('C3: with CertName the server is asked for HostName and has to show a certificate for CertName', async () => {
  const pair = selfSignedCertificate('relay.example')
  await using relay = await relayWith(pair)
  const options = { extraRoots: [pair.cert] }
  const fronted = { HostName: 'front.example', CertName: 'relay.example' }
  expect(await outcome(relay, fronted, options)).toBe('connected')
  expect(relay.asked).toEqual(['front.example'])
  expect(await outcome(relay, { HostName: 'relay.example' }, options)).toBe('connected')
  expect(await outcome(relay, { HostName: 'front.example' }, options)).toBe('ERR_DERP_CERTIFICATE')
  const other = { ...fronted, CertName: 'other.example' }
  expect(await outcome(relay, other, options)).toBe('ERR_DERP_CERTIFICATE')
})

test('C3: what nobody vouches for is refused, also when the certificate that announces the key comes with it', async () => {
  const pair = selfSignedCertificate('relay.example')
  await using relay = await relayWith(pair)
  const stranger = { extraRoots: [selfSignedCertificate('relay.example').cert] }
  expect(await outcome(relay, { HostName: 'relay.example' })).toBe('ERR_DERP_CERTIFICATE')
  expect(await outcome(relay, { HostName: 'relay.example' }, stranger)).toBe('ERR_DERP_CERTIFICATE')
  expect(await outcome(relay, { HostName: 'relay.example', InsecureForTests: true })).toBe('connected')
})

test('C3: a pin is believed without an authority, for the name dialled, and for exactly one certificate', async () => {
  const pair = selfSignedCertificate('relay.example')
  const pinned = { HostName: 'relay.example', CertName: pinOf(pair) }
  await using relay = await relayWith(pair)
  expect(await outcome(relay, pinned)).toBe('connected')
  expect(await outcome(relay, { ...pinned, CertName: pinned.CertName.toUpperCase() })).not.toBe('connected')
  expect(await outcome(relay, { ...pinned, HostName: 'other.example' })).toBe('ERR_DERP_CERTIFICATE')
  // An address is not a name: whoever dials one believes the hash alone.
  expect(await outcome(relay, { ...pinned, HostName: '127.0.0.1' })).toBe('connected')
  await using chained = await relayWith(pair, selfSignedCertificate('more.example').cert)
  expect(await outcome(chained, pinned)).toBe('ERR_DERP_CERTIFICATE')
})

test('C3: a pinned certificate counts on the days for which it was made', async () => {
  for (const [made, expected] of [
    [Date.now() - 9 * YEAR, 'connected'],
    [Date.now() - 11 * YEAR, 'ERR_DERP_CERTIFICATE'],
    [Date.now() + YEAR, 'ERR_DERP_CERTIFICATE'],
  ] as const) {
    const pair = selfSignedCertificate('relay.example', new Date(made))
    await using relay = await relayWith(pair)
    expect(await outcome(relay, { HostName: 'relay.example', CertName: pinOf(pair) })).toBe(expected)
  }
})
