// SIGHUP: a certificate that an administrator has replaced is presented from then on, to nobody's disturbance.
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import type { DerpEvent } from '@mesh/derp-client'
import { connectDerp } from '@mesh/derp-client/node'
import { certificatePin, selfSignedCertificate } from '@mesh/derp-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { scratch, startServing } from './support.ts'

async function presented(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const certificate = socket.getPeerX509Certificate()
  socket.destroy()
  return certificatePin(certificate?.raw ?? new Uint8Array(0))
}

test('SIGHUP presents the new certificate, with the key announced behind it; one that makes no sense changes nothing', async () => {
  using folder = scratch()
  const renew = (): string => {
    const pair = selfSignedCertificate('127.0.0.1')
    writeFileSync(folder.file('127.0.0.1.crt'), pair.cert)
    writeFileSync(folder.file('127.0.0.1.key'), pair.key)
    return certificatePin(new X509Certificate(pair.cert).raw)
  }
  const first = renew()
  const args = ['--certmode=manual', '--certdir', folder.path, '--http-port=-1']
  await using relay = await startServing('--dev', '--a', '127.0.0.1:0', '--stun=false', ...args)
  expect(await presented(relay.port)).toBe(first)
  const open = connectDerp({
    region: {
      ...relay.region,
      Nodes: relay.region.Nodes?.map((node) => ({ ...node, CertName: first })) ?? [],
    },
    privateKey: generatePrivateKey(systemRandom),
  })
  const events: DerpEvent[] = []
  open.onEvent((event) => events.push(event))
  await new Promise<void>((resolve) => open.onEvent(() => resolve()))
  const second = renew()
  await relay.tell('SIGHUP', /read the certificate and the rate limit again\n$/)
  expect(await presented(relay.port)).toBe(second)
  // Fast start goes on: the new chain, too, ends in the certificate that announces the relay's key.
  const again = connectDerp({
    region: {
      ...relay.region,
      Nodes: relay.region.Nodes?.map((node) => ({ ...node, CertName: second })) ?? [],
    },
    privateKey: generatePrivateKey(systemRandom),
  })
  expect(await new Promise<DerpEvent>((resolve) => again.onEvent(resolve))).toMatchObject({
    event: 'connected',
  })
  writeFileSync(folder.file('127.0.0.1.key'), 'nonsense')
  await relay.tell('SIGHUP', /are no certificate and key in PEM\.\n$/)
  expect(await presented(relay.port)).toBe(second)
  expect(events.map(({ event }) => event)).toEqual(['connected'])
  for (const connection of [open, again]) connection.close()
})
