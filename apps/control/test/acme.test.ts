// A certificate of an authority: pebble, of the distribution, asks the server's own port for proof.

import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { freePort, isPebbleHere, startPebble } from '@mesh/acme/contract'
import { selfSignedCertificate } from '@mesh/derp-server/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Lab } from './support.ts'

const hasPebble = isPebbleHere()
if (!hasPebble) console.log("skipped: control's certificate of an authority, because pebble is not installed")

const NAME = 'control.example'
const lab = new Lab()

beforeEach(() => lab.open())
afterEach(() => lab.close())

async function shown(port: number): Promise<X509Certificate> {
  const socket = connect({ port, host: '127.0.0.1', servername: NAME, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const certificate = socket.getPeerX509Certificate()
  socket.destroy()
  if (!certificate) throw new Error('no certificate')
  return certificate
}

test.skipIf(!hasPebble)(
  'an authority gives a certificate, which is kept for nobody else to read, and used again',
  {
    timeout: 60_000,
  },
  async () => {
    const port = await freePort()
    const certificate = selfSignedCertificate('127.0.0.1')
    await using authority = await startPebble({ folder: lab.folder, provePort: port, certificate })
    lab.env = { NODE_EXTRA_CA_CERTS: authority.root }
    const flags = [
      '--listen',
      `127.0.0.1:${port}`,
      '--acme-hostname',
      NAME,
      '--acme-directory',
      authority.directory,
    ]
    const first = await lab.serve(...flags, '--acme-email', 'ops@example.com')
    expect(first.url).toBe(`https://127.0.0.1:${port}`)
    let got = await shown(port)
    for (let i = 0; i < 200 && !/Pebble/.test(got.issuer); i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      got = await shown(port)
    }
    expect([got.checkHost(NAME), got.issuer]).toEqual([NAME, expect.stringMatching(/Pebble/)])
    const kept = join(lab.state, 'acme')
    expect(readdirSync(kept).toSorted()).toEqual(['acme-account.key', `${NAME}.acme.pem`])
    for (const name of readdirSync(kept)) expect(statSync(join(kept, name)).mode & 0o777).toBe(0o600)
    first.child.kill('SIGTERM')
    await once(first.child, 'exit')
    await lab.serve(...flags)
    expect((await shown(port)).fingerprint256).toBe(got.fingerprint256)
  },
)

test('says in a sentence what cannot be got from an authority', { timeout: 30_000 }, async () => {
  const refused = async (...args: string[]): Promise<string> => {
    const { code, err } = await lab.run('configtest', '--state-dir', lab.state, ...args)
    expect(code).toBe(1)
    return err
  }
  expect(await refused('--acme-hostname', '192.0.2.1')).toMatch(/Write it as control\.example/)
  expect(await refused('--acme-hostname', NAME, '--tls-cert', 'x')).toMatch(/not from both/)
  expect(await refused('--acme-hostname', NAME, '--acme-eab-kid', 'x')).toMatch(/go together/)
  expect(
    await lab.run('configtest', '--state-dir', lab.state, '--acme-hostname', NAME, '--listen', ':443'),
  ).toMatchObject({ code: 0 })
})
