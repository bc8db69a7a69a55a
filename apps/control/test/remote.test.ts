import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { selfSignedCertificate } from '@mesh/derp-server/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Lab } from './support.ts'

const lab = new Lab()
const { run, ask, serve } = lab

beforeEach(() => lab.open())
afterEach(() => lab.close())

/** Starts a server with a certificate that no authority vouches for. Returns its URL and the certificate's file. */
async function serveTls(): Promise<{ url: string; ca: string }> {
  const made = selfSignedCertificate('127.0.0.1')
  const [cert, key] = [join(lab.folder, 'cert.pem'), join(lab.folder, 'key.pem')]
  writeFileSync(cert, made.cert)
  writeFileSync(key, made.key)
  const { url } = await serve('--tls-cert', cert, '--tls-key', key)
  return { url, ca: cert }
}

test('every verb works from elsewhere with an API key, over HTTPS', { timeout: 60_000 }, async () => {
  const { url, ca } = await serveTls()
  const made = await run('apikeys', 'create', '--state-dir', lab.state)
  expect(made.out).toMatch(/^meshkey-api-[0-9a-f]{12}-[0-9a-f]{64}$/)
  const file = join(lab.folder, 'key')
  writeFileSync(file, `${made.out}\n`)
  const there = ['--url', url, '--api-key-file', file]
  expect((await run('users', 'create', 'ann', ...there)).err).toMatch(
    /^mesh-control: The certificate of 127\.0\.0\.1:\d+ is not trusted \(.*\): name its authority by NODE_EXTRA_CA_CERTS, or use --insecure\.$/,
  )
  expect(await run('users', 'create', 'ann', ...there, '--insecure')).toMatchObject({ code: 0 })
  lab.env = { NODE_EXTRA_CA_CERTS: ca, MESH_CONTROL_URL: url, MESH_CONTROL_API_KEY: made.out }
  expect((await run('user', 'ls')).out).toMatch(/ann/)
  expect((await run('pre', 'c', '-u', 'ann', '-o', 'json-line')).out).toMatch(
    /^\{"user":\{"id":"1","name":"ann",.*"key":"meshkey-auth-/,
  )
  expect((await run('node', 'show', '-o', 'yaml')).out).toBe('[]')
  expect((await run('api', 'list')).out).toMatch(
    /^ID +PREFIX +EXPIRES +CREATED\n1 +meshkey-api-[0-9a-f]{12}-\*{3} +20/,
  )
  expect((await run('backup')).out).toContain('"ann"')
  expect((await run('apikeys', 'revoke', '-i', '1')).out).toBe('Key 1 is expired.')
  expect(await run('users', 'list')).toEqual({
    code: 1,
    out: '',
    err: 'mesh-control: This API key is unknown, expired or deleted.',
  })
  lab.env = {}
  expect(await ask('apikeys', 'delete', '--prefix', made.out.slice(12, 24))).toMatchObject({ id: '1' })
  expect(await ask('apikeys', 'list')).toEqual([])
})

test('says in a sentence why a server elsewhere cannot be asked', { timeout: 60_000 }, async () => {
  const key = `meshkey-api-${'0'.repeat(12)}-${'0'.repeat(64)}`
  const other = createServer((_, response) => response.writeHead(404).end('nothing here'))
  await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  const refused = async (url: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
    lab.env = { MESH_CONTROL_API_KEY: key, ...env }
    const { code, out, err } = await run('nodes', 'list', '--url', url)
    expect([code, out]).toEqual([1, ''])
    return err
  }
  expect(await refused('http://control.example')).toMatch(/everybody on the way would read the API key/)
  expect(await refused('nonsense://x')).toMatch(/"nonsense:\/\/x" is no address of a server/)
  expect(await refused('127.0.0.1:1')).toMatch(/https:\/\/127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/)
  expect(await refused(`127.0.0.1:${port}`)).toMatch(/does not speak TLS: is it http:/)
  expect(await refused(`http://127.0.0.1:${port}`)).toMatch(/answers, but not as mesh-control/)
  expect(await refused('https://x', { MESH_CONTROL_API_KEY: '' })).toMatch(/wants an API key: make one/)
  expect(await refused('https://x', { MESH_CONTROL_API_KEY: 'abc' })).toMatch(
    /^mesh-control: MESH_CONTROL_API_KEY does not hold/,
  )
  expect(await refused('https://x', { MESH_CONTROL_API_KEY_FILE: '/none' })).toMatch(
    /cannot be read from \/none/,
  )
  other.close()
})

test('a failure is data too when data is wanted', async () => {
  const { code, err } = await run('users', 'list', '--state-dir', lab.state, '-o', 'json-line')
  expect([code, JSON.parse(err)]).toMatchObject([
    1,
    { error: expect.stringContaining('is serving') as string },
  ])
})
