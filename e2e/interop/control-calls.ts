// `pnpm interop control`, what real clients ask of our control server beside their maps, and what it asks of them: a
// certificate by a real ACME authority, an identity token, their own handlers, a message for their person.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { selfSignedCertificate } from '@mesh/derp-server/node'
import { eventually } from '../netns/lab.ts'
import type { InteropCase } from './case.ts'
import { joinTailscaled, type MeshNode } from './nodes.ts'
import { startControl, startRelay } from './servers.ts'
import { buildSite, type Place } from './site.ts'

const ACME_PORT = 14_000
const DNS = '10.91.0.1:53'
const NAME = 'ts-a.mesh.internal'

/** The cases. */
export const controlCalls: readonly InteropCase[] = [
  {
    name: 'a certificate of an ACME authority that finds the proof in our DNS, and an identity token',
    peers: ['tailscaled', 'tailscale'],
    programs: ['pebble'],
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['a'])
      const [place] = places
      if (place === undefined) throw new RangeError('no place')
      const server = await trail('servers up', async () =>
        startControl(hub, await startRelay(hub), '--dns-listen', DNS),
      )
      const trusted = await trail('authority up', async () => startAuthority(hub))
      const environment = [
        `SSL_CERT_FILE=${trusted}`,
        `TS_DEBUG_ACME_DIRECTORY_URL=https://${hub.address}:${ACME_PORT}/dir`,
      ]
      const a = await trail('Running', () => joinTailscaled(place, server, 'ts-a', peer, { environment }))
      await trail('certificate', async () => {
        const [cert, key] = ['cert.pem', 'key.pem'].map((file) => join(place.folder, file)) as [
          string,
          string,
        ]
        await a.cli('cert', `--cert-file=${cert}`, `--key-file=${key}`, NAME)
        const certificate = new X509Certificate(readFileSync(cert))
        if (!certificate.checkHost(NAME) || !/Pebble/.test(certificate.issuer))
          throw new Error(`it is for ${certificate.subjectAltName}, by ${certificate.issuer}`)
      })
      await trail('not for another name', async () => {
        const refused = await a.cli('cert', 'ts-b.mesh.internal').catch(String)
        if (typeof refused !== 'string') throw new Error('a certificate for another node')
      })
      await trail('identity token', async () => {
        const socket = join(place.folder, 'ts.sock')
        const asked = [peer('tailscale'), `--socket=${socket}`, 'id-token', 'vault']
        // The command is there but hidden.
        const { stdout } = await place.namespace.run('env', 'TAILSCALE_USE_WIP_CODE=1', ...asked)
        const claims = JSON.parse(
          Buffer.from(stdout.trim().split('.')[1] ?? '', 'base64url').toString(),
        ) as Readonly<Record<string, unknown>>
        if (claims['aud'] !== 'vault' || claims['node'] !== NAME || claims['iss'] !== server.url)
          throw new Error(stdout)
      })
    },
  },
  {
    name: 'a client asked for its health, map and settings, and a message for its person',
    peers: ['tailscaled', 'tailscale'],
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['a'])
      const [place] = places
      if (place === undefined) throw new RangeError('no place')
      const server = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      const a = await trail('Running', () => joinTailscaled(place, server, 'ts-a', peer))
      await trail('its handlers', async () => {
        for (const [path, pattern] of [
          ['/debug/prefs', /"ControlURL"/],
          ['/debug/netmap', /ts-a\.mesh\.internal/],
          ['/debug/metrics', /^# TYPE \w+ counter$/m],
          ['/debug/goroutines', /goroutine/],
          ['/debug/health', /./],
        ] as const) {
          const { status, body } = (await server.admin('nodes', 'c2n', a.address, path)) as {
            readonly status: number
            readonly body: string
          }
          if (status !== 200 || !pattern.test(body))
            throw new Error(`${path}: ${status} ${body.slice(0, 200)}`)
        }
      })
      await trail('routes that wait', async () => {
        await a.cli('set', '--advertise-routes=10.77.0.0/24')
        await eventually('the message', () => warned(a, /10\.77\.0\.0\/24/))
        await server.admin('nodes', 'approve-routes', a.address, '-r', '10.77.0.0/24')
        await eventually('no message', async () => ((await warned(a, /10\.77\.0/)) ? undefined : true))
      })
      await trail('login that ends', async () => {
        const soon = new Date(Date.now() + 3_600_000).toISOString()
        await server.admin('nodes', 'expire', a.address, '--expiry', soon)
        await eventually('the message', () => warned(a, /stays logged in until/))
        await server.admin('nodes', 'expire', a.address, '--disable')
        await eventually('no message', async () => ((await warned(a, /stays logged in/)) ? undefined : true))
      })
    },
  },
]

/** Starts an authority in the hub that asks our DNS. Returns the file of the certificates to trust for talking to it. */
async function startAuthority(hub: Place): Promise<string> {
  const { cert, key } = selfSignedCertificate(hub.address)
  const [certificate, privateKey, config] = ['acme.pem', 'acme.key', 'pebble.json'].map((file) =>
    join(hub.folder, file),
  ) as [string, string, string]
  writeFileSync(certificate, cert)
  writeFileSync(privateKey, key)
  const pebble = {
    listenAddress: `${hub.address}:${ACME_PORT}`,
    managementListenAddress: `${hub.address}:15000`,
    certificate,
    privateKey,
    httpPort: 1,
    tlsPort: 1,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
  }
  writeFileSync(config, JSON.stringify({ pebble }))
  const environment = ['env', 'PEBBLE_VA_NOSLEEP=1', 'PEBBLE_WFE_NONCEREJECT=0'] as const
  const authority = hub.namespace.start(...environment, 'pebble', '-config', config, '-dnsserver', DNS)
  await authority.waitFor(/Listening on/)
  return certificate
}

/** Tells whether a client shows its person a warning of this kind. */
async function warned(node: MeshNode, pattern: RegExp): Promise<true | undefined> {
  const { stdout } = await node.cli('status', '--json')
  const { Health } = JSON.parse(stdout) as { readonly Health?: readonly string[] | null }
  return (Health ?? []).some((line) => pattern.test(line)) || undefined
}
