// The program on several cores.
import { expect, test } from 'vitest'
import { connectDerp, type DerpConnection } from '@mesh/derp-client/node'
import { generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { run, startServing } from './support.ts'

const CLIENTS = 12

test('with --workers 2 everybody reaches everybody, by TLS and whichever thread they are with', async () => {
  const flags = ['--dev', '--a', '127.0.0.1:0', '--stun=false', '--certmode=self-signed', '--http-port=-1']
  await using relay = await startServing(...flags, '--workers=2')
  const clients = Array.from({ length: CLIENTS }, () => {
    const privateKey = generatePrivateKey(systemRandom)
    const connection = connectDerp({ region: relay.region, privateKey })
    return { key: publicKeyOf(privateKey), connection }
  })
  const exchanges = clients.map(({ key, connection }, i) =>
    arrives(connection, key, clients[(i + 1) % CLIENTS]!),
  )
  expect(await Promise.all(exchanges)).toHaveLength(CLIENTS)
  for (const { connection } of clients) connection.close()
})

/** Sends until it arrives, as not everybody is there from the start. */
async function arrives(
  from: DerpConnection,
  sender: Uint8Array,
  to: { readonly key: Uint8Array; readonly connection: DerpConnection },
): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => from.send(to.key, systemRandom(100)), 20)
    to.connection.onPacket((source) => {
      if (!Buffer.from(source).equals(sender)) return
      clearInterval(timer)
      resolve()
    })
  })
}

test.each(['0', '257', 'two'])('--workers %s is answered with one sentence', async (count) => {
  const { code, stderr } = await run('--dev', '--workers', count)
  expect([code, stderr.trim().split('\n').length]).toEqual([2, 1])
  expect(stderr).toContain('Write all, or a number from 1 to 256')
})
