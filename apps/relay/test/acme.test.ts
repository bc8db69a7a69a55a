// Certificates of an authority: a real one from the distribution, pebble, asks the relay's TLS port for proof, and gives one
// that is kept, presented and renewed.
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { freePort, isPebbleHere, startPebble, type TestAuthority } from '@mesh/acme/contract'
import { selfSignedCertificate } from '@mesh/derp-server/node'
import { run, scratch, type Serving, startServingIn } from './support.ts'

const hasPebble = isPebbleHere()
if (!hasPebble) console.log('skipped: certificates of an authority, because pebble is not installed')

const NAME = 'relay.example'
const DAY = 86_400_000

function startAuthority(folder: ReturnType<typeof scratch>, provePort: number): Promise<TestAuthority> {
  return startPebble({ folder: folder.path, provePort, certificate: selfSignedCertificate('127.0.0.1') })
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
