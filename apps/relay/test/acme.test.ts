// Certificates of an authority: a real one from the distribution, pebble, asks the relay's TLS port for proof, and gives one
// that is kept, presented and renewed.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { selfSignedCertificate } from '@mesh/derp-server/node'
import { renewalTime, retryDelay } from '../src/renewal.ts'
import { run, scratch, type Serving, startServingIn } from './support.ts'

const hasPebble = spawnSync('sh', ['-c', 'command -v pebble && command -v pebble-challtestsrv']).status === 0
if (!hasPebble) console.log('skipped: certificates of an authority, because pebble is not installed')

const NAME = 'relay.example'
const DAY = 86_400_000

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

/** An authority that finds every name on this machine and asks it for proof at one port. */
async function startAuthority(
  folder: ReturnType<typeof scratch>,
  provePort: number,
): Promise<AsyncDisposable & { readonly directory: string; readonly root: string; ca(): Promise<string> }> {
  const [port, management, dns, dnsManagement] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  const pair = selfSignedCertificate('127.0.0.1')
  const [certificate, privateKey, config] = ['ca.pem', 'ca.key', 'pebble.json'].map((name) =>
    folder.file(name),
  )
  writeFileSync(certificate!, pair.cert)
  writeFileSync(privateKey!, pair.key)
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate,
    privateKey,
    httpPort: 1,
    tlsPort: provePort,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
  }
  writeFileSync(config!, JSON.stringify({ pebble }))
  const environment = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' }
  const start = (program: string, ...args: string[]): ChildProcess =>
    spawn(program, args, { stdio: 'ignore', env: environment })
  const programs = [
    start(
      'pebble-challtestsrv',
      ...['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-dns01', `127.0.0.1:${dns}`],
      ...['-http01', '', '-https01', '', '-tlsalpn01', '', '-management', `127.0.0.1:${dnsManagement}`],
    ),
    start('pebble', '-config', config!, '-dnsserver', `127.0.0.1:${dns}`),
  ]
  while ((await get(port, '/dir', pair.cert).catch(() => '')) === '')
    await new Promise((resolve) => setTimeout(resolve, 50))
  return {
    directory: `https://127.0.0.1:${port}/dir`,
    root: certificate!,
    ca: () => get(management, '/roots/0', pair.cert),
    async [Symbol.asyncDispose]() {
      for (const program of programs) program.kill('SIGKILL')
      await Promise.all(programs.map((program) => once(program, 'exit')))
    },
  }
}

function get(port: number, path: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, ca, agent: false }, (answer) => {
      answer.toArray().then((parts) => resolve(parts.join('')), reject)
    })
    asked.on('error', reject).end()
  })
}

/** What a client is shown at a port; `alpn` asks for a protocol. */
async function shown(port: number, alpn?: string): Promise<{ certificate: X509Certificate; alpn: unknown }> {
  const options = { port, host: '127.0.0.1', servername: NAME, rejectUnauthorized: false }
  const socket = connect({ ...options, ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }) })
  await once(socket, 'secureConnect')
  const certificate = socket.getPeerX509Certificate()
  socket.destroy()
  if (certificate === undefined) throw new Error('no certificate')
  return { certificate, alpn: socket.alpnProtocol }
}

/** Starts the relay with what the authority gives. */
function startWith(
  authority: { directory: string; root: string },
  port: number,
  directory: string,
  ...args: string[]
): Promise<Serving> {
  return startServingIn(
    { NODE_EXTRA_CA_CERTS: authority.root },
    ...['--dev', '--a', `127.0.0.1:${port}`, '--stun=false', '--http-port=-1', '--certmode=letsencrypt'],
    ...['--hostname', NAME, '--certdir', directory, '--acme-directory', authority.directory, ...args],
  )
}

test.skipIf(!hasPebble)(
  'threat 8: an authority gives a certificate, which is kept with its key for nobody else to read, and used again',
  async () => {
    using folder = scratch()
    const port = await freePort()
    await using authority = await startAuthority(folder, port)
    const directory = folder.file('certs')
    const first = await startWith(authority, port, directory, '--acme-email', 'ops@example.com')
    await first.heard(/got a certificate for relay\.example from 127\.0\.0\.1:\d+, valid until .*\n/)
    const { certificate } = await shown(port)
    expect(certificate.checkHost(NAME)).toBe(NAME)
    expect(certificate.issuer).toMatch(/Pebble/)
    const ca = new X509Certificate(await authority.ca())
    expect(ca.subject).toMatch(/Pebble/)
    // Whoever asks for the authority's protocol now is told that it is not spoken.
    await expect(shown(port, 'acme-tls/1')).rejects.toThrow(/no application protocol/)
    expect(first.region).toMatchObject({ Nodes: [{ HostName: NAME, DERPPort: port }] })
    expect(first.region.Nodes?.[0]).not.toHaveProperty('CertName')
    await first.end('SIGTERM')
    expect(readdirSync(directory).sort()).toEqual(['acme-account.key', `${NAME}.acme.pem`])
    for (const name of readdirSync(directory)) {
      expect(statSync(`${directory}/${name}`).mode & 0o777).toBe(0o600)
      expect(readFileSync(`${directory}/${name}`, 'utf8')).toContain('PRIVATE KEY')
    }
    await using _again = await startWith(authority, port, directory)
    expect((await shown(port)).certificate.fingerprint256).toBe(certificate.fingerprint256)
  },
)

test.skipIf(!hasPebble)(
  'a certificate that has spent two thirds of its time is renewed while the relay serves',
  async () => {
    using folder = scratch()
    const port = await freePort()
    await using authority = await startAuthority(folder, port)
    // Ten years, of which seven are gone.
    const old = selfSignedCertificate(NAME, new Date(Date.now() - 7 * 365 * DAY))
    writeFileSync(folder.file(`${NAME}.acme.pem`), old.key + old.cert, { mode: 0o600 })
    await using relay = await startWith(authority, port, folder.path)
    await relay.heard(/got a certificate/)
    expect((await shown(port)).certificate.issuer).toMatch(/Pebble/)
    expect(readFileSync(folder.file(`${NAME}.acme.pem`), 'utf8')).not.toContain(old.cert.trim())
  },
)

test('an authority that is not there is said, and the relay serves with what it has', async () => {
  using folder = scratch()
  const kept = selfSignedCertificate(NAME, new Date(Date.now() - 7 * 365 * DAY))
  writeFileSync(folder.file(`${NAME}.acme.pem`), kept.key + kept.cert, { mode: 0o600 })
  const [port, nowhere] = [await freePort(), await freePort()]
  const authority = { directory: `https://127.0.0.1:${nowhere}/dir`, root: '' }
  await using relay = await startWith(authority, port, folder.path)
  await relay.heard(
    /^mesh-relay: no certificate for relay\.example from 127\.0\.0\.1:\d+: the authority cannot be reached: .*ECONNREFUSED.*; it will be tried again\n$/,
  )
  expect((await shown(port)).certificate.fingerprint256).toBe(new X509Certificate(kept.cert).fingerprint256)
})

test('what is kept and damaged is no certificate, and what cannot be read is one sentence', async () => {
  using folder = scratch()
  const port = await freePort()
  const authority = { directory: 'https://127.0.0.1:1/dir', root: '' }
  writeFileSync(folder.file(`${NAME}.acme.pem`), 'x')
  await using _relay = await startWith(authority, port, folder.path)
  expect((await shown(port)).certificate.issuer).toContain(NAME)
  using other = scratch()
  const args = ['--dev', '--a', '127.0.0.1:0', '--certmode=letsencrypt', '--hostname', 'a.example']
  const { code, stderr } = await run(...args, '--certdir', `${folder.file(`${NAME}.acme.pem`)}/${other.path}`)
  expect([code, stderr.trim().split('\n').length]).toEqual([1, 1])
})

test('a third of the time before its end a certificate is due, and failures are spaced ever further', () => {
  const validity = { validFromDate: new Date(0), validToDate: new Date(90 * DAY) }
  expect(renewalTime(validity)).toBe(60 * DAY)
  expect([1, 2, 3].map((failures) => retryDelay(failures, 0.5))).toEqual([60_000, 120_000, 240_000])
  expect(retryDelay(50, 0.5)).toBe(21_600_000)
  expect([retryDelay(1, 0), retryDelay(1, 1)]).toEqual([30_000, 90_000])
})
