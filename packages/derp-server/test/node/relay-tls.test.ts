// What a client finds when it speaks TLS to a relay.
import { once } from 'node:events'
import { connect, type ConnectionOptions } from 'node:tls'
import { expect, test } from 'vitest'
import { formatHexKey, publicKeyOf } from '@mesh/keys'
import { relayTls, selfSignedCertificate } from '../../src/node/index.ts'
import { RELAY_PRIVATE_KEY } from '../support.ts'
import { listen } from './support.ts'

const SERVER_KEY = publicKeyOf(RELAY_PRIVATE_KEY)
const TLS = relayTls(selfSignedCertificate('127.0.0.1'), SERVER_KEY)

/** Returns the cipher and the key agreement that a client and the relay come to. */
async function shake(port: number, options: ConnectionOptions): Promise<unknown[]> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
  await once(socket, 'secureConnect')
  const key = socket.getEphemeralKeyInfo()
  const found = [socket.getCipher().name, key !== null && 'name' in key ? key.name : undefined]
  socket.destroy()
  return found
}

test.each([
  ['as most are', {}, 'TLS_AES_128_GCM_SHA256', 'X25519'],
  [
    'without hardware for AES',
    { ciphers: 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256' },
    'TLS_CHACHA20_POLY1305_SHA256',
    'X25519',
  ],
  ['that wants AES-256 only', { ciphers: 'TLS_AES_256_GCM_SHA384' }, 'TLS_AES_256_GCM_SHA384', 'X25519'],
  ['without X25519', { ecdhCurve: 'prime256v1' }, 'TLS_AES_128_GCM_SHA256', 'prime256v1'],
  ['of TLS 1.2', { maxVersion: 'TLSv1.2' }, 'ECDHE-ECDSA-AES128-GCM-SHA256', 'X25519'],
] as const)(
  'a client %s is spoken to in the way that suits it',
  async (_kind, options, cipher, agreement) => {
    await using server = await listen({}, TLS)
    expect(await shake(server.port, options)).toEqual([cipher, agreement])
  },
)

test('a client that can do no more than TLS 1.1 is turned away', async () => {
  await using server = await listen({}, TLS)
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  await expect(shake(server.port, old)).rejects.toThrow(/alert|version/)
})

test('S3: the chain ends with the certificate that tells the key, also when the first has no last line end', async () => {
  const pair = selfSignedCertificate('127.0.0.1')
  const tls = relayTls({ ...pair, cert: pair.cert.trimEnd() }, SERVER_KEY)
  await using server = await listen({}, tls)
  const socket = connect({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  expect(socket.getPeerX509Certificate()?.issuerCertificate?.subject).toBe(
    `CN=derpkey${formatHexKey(SERVER_KEY)}`,
  )
  socket.destroy()
})
