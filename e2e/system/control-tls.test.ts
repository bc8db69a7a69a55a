// Control behind TLS, as it stands on the internet: a terminator in front of the server, and who is believed.
import { type AddressInfo, connect } from 'node:net'
import { createServer, type Server } from 'node:tls'
import type { ControlEvent } from '@mesh/control-client'
import { type ControlConnection, connectControl } from '@mesh/control-client/node'
import { startControl } from '@mesh/control-server/contract'
import type { ControlListener } from '@mesh/control-server/node'
import { selfSignedCertificate } from '@mesh/derp-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { afterEach, beforeEach, expect, test } from 'vitest'

let control: ControlListener
let connections: ControlConnection[]
let terminators: Server[]

beforeEach(async () => {
  connections = []
  terminators = []
  control = await startControl()
  await control.admin({ verb: 'users create', name: 'ann' })
})

afterEach(async () => {
  for (const connection of connections) await connection.close()
  for (const terminator of terminators) terminator.close()
  await control.close()
})

/** Starts a TLS terminator with a certificate for `name`; returns its address and the certificate. */
async function terminate(name: string): Promise<{ url: string; cert: string }> {
  const pair = selfSignedCertificate(name)
  const terminator = createServer(pair, (outside) => {
    const inside = connect(Number(new URL(control.url).port), '127.0.0.1')
    for (const socket of [outside, inside]) socket.on('error', () => undefined)
    outside.pipe(inside).pipe(outside)
    outside.on('close', () => inside.destroy())
    inside.on('close', () => outside.destroy())
  })
  terminator.on('tlsClientError', () => undefined)
  terminators.push(terminator)
  await new Promise<void>((resolve) => terminator.listen(0, '127.0.0.1', resolve))
  return { url: `https://127.0.0.1:${(terminator.address() as AddressInfo).port}`, cert: pair.cert }
}

/** Joins; returns the first thing that settles it. */
async function outcome(serverUrl: string, ca: string | undefined): Promise<ControlEvent> {
  const { key } = await control.admin({ verb: 'preauthkeys create', user: 'ann' })
  return new Promise((resolve) => {
    const connection = connectControl({
      serverUrl,
      ca,
      machineKey: generatePrivateKey(systemRandom),
      nodeKey: generatePrivateKey(systemRandom),
      discoKey: `discokey:${'17'.repeat(32)}`,
      hostinfo: { OS: 'linux', Hostname: 'a' },
      authKey: key,
      onEvent: (event) => {
        if (event.event === 'map' || event.event === 'trouble') resolve(event)
      },
    })
    connections.push(connection)
  })
}

test('a node joins through TLS when it trusts the certificate', async () => {
  const { url, cert } = await terminate('127.0.0.1')
  expect((await outcome(url, cert)).event).toBe('map')
})

test('threat 30: a certificate that nobody vouches for is refused before anything is said', async () => {
  const { url } = await terminate('127.0.0.1')
  const event = await outcome(url, undefined)
  expect(event.event === 'trouble' && event.error.code).toBe('ERR_CONTROL_CERTIFICATE')
  expect(await control.admin({ verb: 'nodes list' })).toEqual([])
})

test('threat 30: a trusted certificate of another name is refused, also for a bare address', async () => {
  const { url, cert } = await terminate('other.example')
  const event = await outcome(url, cert)
  expect(event.event === 'trouble' && event.error.code).toBe('ERR_CONTROL_CERTIFICATE')
})
