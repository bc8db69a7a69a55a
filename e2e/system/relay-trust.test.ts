// A company's authority, put where the system keeps its own: relays with its certificates are believed without a pin.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRelay, selfSignedCertificate } from '@mesh/derp-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { expect, test } from 'vitest'
import { Started } from '../netns/lab.ts'

const CLIENT = new URL('../interop/programs/derp-node.ts', import.meta.url)

test('C3: what the system’s authorities vouch for is believed, and nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-roots-'))
  const pair = selfSignedCertificate('localhost')
  writeFileSync(join(folder, 'root.pem'), pair.cert)
  const relay = createRelay({ privateKey: generatePrivateKey(systemRandom) })
  const server = createServer(pair)
  server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head))
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const DERPPort = (server.address() as AddressInfo).port
  const node = { Name: '1a', HostName: 'localhost', IPv4: '127.0.0.1', IPv6: 'none', DERPPort }
  const connect = async (environment: NodeJS.ProcessEnv): Promise<string> => {
    const options = JSON.stringify({ region: { RegionID: 1, Nodes: [node] } })
    const args = [
      '--conditions=@mesh/source',
      '--disable-warning=ExperimentalWarning',
      CLIENT.pathname,
      options,
    ]
    const child = new Started(
      spawn(process.execPath, args, { env: { ...process.env, ...environment } }),
      'client',
    )
    const [said] = await child.waitFor(/^(connected|disconnected \w+)/m, 30_000)
    await child.stop()
    return said
  }
  try {
    expect(await connect({ SSL_CERT_FILE: join(folder, 'root.pem') })).toBe('connected')
    expect(await connect({})).toBe('disconnected ERR_DERP_CERTIFICATE')
  } finally {
    relay.close()
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  }
})
