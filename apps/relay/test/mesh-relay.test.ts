// The program from outside: what it prints, what it keeps, how it ends.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { decodeBindingResponse, encodeBindingRequest } from '@mesh/wire/stun'
import { run, scratch, startServing } from './support.ts'

test('says in one line where it listens, answers there, and ends well when it is told to', async () => {
  await using relay = await startServing('--dev', '--a', '127.0.0.1:0', '--stun-port', '0')
  expect(relay.url).toBe(`http://127.0.0.1:${relay.port}`)
  expect((await fetch(`${relay.url}/derp/probe`)).status).toBe(200)
  expect((await fetch(`${relay.url}/derp`)).status).toBe(426)
  expect(await (await fetch(relay.url)).text()).toContain('DERP relay')
  expect((await fetch(`${relay.url}/nothing`)).status).toBe(404)
  const socket = createSocket('udp4')
  socket.send(encodeBindingRequest(new Uint8Array(12)), relay.stunPort, '127.0.0.1')
  const [answer] = (await once(socket, 'message')) as [Uint8Array]
  socket.close()
  expect([...(decodeBindingResponse(answer)?.observed.address ?? [])]).toEqual([127, 0, 0, 1])
  expect(await relay.end('SIGTERM')).toBe(0)
})

test('takes flags as Go programs do, and ends well on SIGINT', async () => {
  using folder = scratch()
  await using relay = await startServing('-a=127.0.0.1:0', '-stun=false', '-c', folder.file('relay.json'))
  expect(relay.stdout).toContain(', no STUN\n')
  expect(await relay.end('SIGINT')).toBe(0)
})

test('threat 6: shows its counters on a port that only this machine reaches, and nothing of them to clients', async () => {
  const flags = ['--dev', '--a', '127.0.0.1:0', '--stun=false', '--metrics-listen']
  await using relay = await startServing(...flags, '127.0.0.1:0')
  for (const path of ['/metrics', '/debug/vars']) {
    expect((await fetch(relay.pages + path)).status).toBe(200)
    expect((await fetch(relay.url + path)).status).toBe(404)
  }
  expect(await run(...flags, '0.0.0.0:0')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Its pages are for this machine alone') as string,
  })
})

test('S20, threat 8: keeps its key in a file of mode 0600, under the name that derper gives it', async () => {
  using folder = scratch()
  const file = folder.file('new/relay.json')
  const start = (): ReturnType<typeof startServing> =>
    startServing('--a', '127.0.0.1:0', '--stun=false', '-c', file)
  await (await start()).end('SIGKILL')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const kept = readFileSync(file, 'utf8')
  expect(kept).toMatch(/^\{\s+"PrivateKey": "privkey:[0-9a-f]{64}"\s+\}\n$/)
  expect(readdirSync(folder.file('new'))).toEqual(['relay.json'])
  const again = await start()
  expect(readFileSync(file, 'utf8')).toBe(kept)
  expect(again.stdout).not.toContain('privkey')
  await again.end('SIGTERM')
})

test.each([
  ['an unknown flag', ['--bogus'], /^mesh-relay: unknown option '--bogus'/],
  ['an unknown flag with one dash', ['-bogus'], /^mesh-relay: unknown option '-bogus'/],
  ['a flag without its value', ['--stun-port'], /argument missing/],
  ['an address that is none', ['--a', 'here'], /Write it as :443/],
  ['a port that is none', ['--stun-port', '70000'], /from 0 to 65535/],
  ['a certmode that is none', ['--certmode', 'magic'], /Allowed choices/],
  ['a word that belongs nowhere', ['serve'], /too many arguments/],
  ['no key file', ['--a', '127.0.0.1:0'], /Say by -c where/],
  ['an authority without a name to vouch for', ['-c', 'x'], /An authority gives certificates to names/],
  ['an authority without a name but an address', ['--hostname', '192.0.2.1'], /certificates to names/],
  ['an authority and no place for its certificate', ['--hostname', 'a.example'], /Say by --certdir where/],
  [
    'gcp without an account',
    ['-c', 'x', '--hostname', 'a.example', '--certmode', 'gcp'],
    /needs --acme-eab-kid/,
  ],
])('%s is answered with one sentence and exit code 2', async (_what, args, sentence) => {
  const { code, stdout, stderr } = await run(...args)
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toMatch(sentence)
  expect(stderr.trim().split('\n')).toHaveLength(1)
})

test('a port in use is answered with one sentence and exit code 1, for TCP and for UDP', async () => {
  const tcp = createServer().listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const address = tcp.address()
  const taken = typeof address === 'object' ? (address?.port ?? 0) : 0
  const first = await run('--dev', '--a', `127.0.0.1:${taken}`, '--stun=false')
  expect(first).toEqual({
    code: 1,
    stdout: '',
    stderr: `mesh-relay: TCP port ${taken} of 127.0.0.1 is in use by another program.\n`,
  })
  tcp.close()
  const udp = createSocket('udp4').bind(0, '127.0.0.1')
  await once(udp, 'listening')
  const { port } = udp.address()
  const second = await run('--dev', '--a', '127.0.0.1:0', '--stun-port', String(port))
  expect(second).toEqual({
    code: 1,
    stdout: '',
    stderr: `mesh-relay: UDP port ${port} of 127.0.0.1 is in use by another program.\n`,
  })
  udp.close()
})

test.each([
  ['empty', ''],
  ['no JSON', 'privkey:'],
  ['without a key', '{}'],
  ['cut short', '{"PrivateKey":"privkey:00'],
  ['of another kind', '{"PrivateKey":"nodekey:0000"}'],
])(
  'a key file that is %s is left alone, and answered with one sentence and exit code 1',
  async (_what, contents) => {
    using folder = scratch()
    const file = folder.file('relay.json')
    writeFileSync(file, contents)
    const { code, stdout, stderr } = await run('--a', '127.0.0.1:0', '-c', file)
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `mesh-relay: The key file ${file} holds no relay key; move it away to start with a fresh one.\n`,
    })
    expect(readFileSync(file, 'utf8')).toBe(contents)
  },
)

test('a key file that cannot be read or made is answered with one sentence and exit code 1', async () => {
  using folder = scratch()
  const { code, stderr } = await run('--a', '127.0.0.1:0', '-c', folder.path)
  expect(code).toBe(1)
  expect(stderr).toMatch(/^mesh-relay: The key file .* cannot be used: EISDIR.*\.\n$/)
  writeFileSync(folder.file('plain'), '')
  const under = await run('--a', '127.0.0.1:0', '-c', folder.file('plain/relay.json'))
  expect([under.code, under.stderr.trim().split('\n').length]).toEqual([1, 1])
  chmodSync(folder.file('plain'), 0o600)
  if (!existsSync('/proc/self')) return
  const nowhere = await run('--a', '127.0.0.1:0', '-c', '/proc/x/relay.json')
  expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringMatching(/cannot be used: ENOENT/)])
})

test('a certificate that is missing, or no certificate, is answered with one sentence and exit code 1', async () => {
  using folder = scratch()
  const args = ['--dev', '--a', '127.0.0.1:0', '--certmode', 'manual', '--certdir', folder.path]
  expect(await run(...args)).toEqual({
    code: 1,
    stdout: '',
    stderr: `mesh-relay: There is no ${folder.file('127.0.0.1.crt')}.\n`,
  })
  writeFileSync(folder.file('127.0.0.1.crt'), 'x')
  writeFileSync(folder.file('127.0.0.1.key'), 'x')
  expect((await run(...args)).stderr).toContain('are no certificate and key in PEM')
})

test('S17: beside HTTPS, the plain port answers the captive-portal check and points everything else to HTTPS', async () => {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  const plain = typeof address === 'object' ? (address?.port ?? 0) : 0
  probe.close()
  await once(probe, 'close')
  const args = [
    '--dev',
    '--a',
    '127.0.0.1:0',
    '--stun=false',
    '--certmode=self-signed',
    '--http-port',
    String(plain),
  ]
  await using _relay = await startServing(...args)
  const url = `http://127.0.0.1:${plain}`
  const check = await fetch(`${url}/generate_204`, { headers: { 'X-Tailscale-Challenge': 'abc' } })
  expect([check.status, check.headers.get('x-tailscale-response')]).toEqual([204, 'response abc'])
  const moved = await fetch(`${url}/derp/probe?x=1`, { redirect: 'manual' })
  expect([moved.status, moved.headers.get('location')]).toEqual([302, 'https://127.0.0.1/derp/probe?x=1'])
  expect((await fetch(url, { method: 'POST' })).status).toBe(400)
})

test('--help and --version print and end well', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  expect(await run('--version')).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
  expect((await run('-help')).stdout).toContain('--stun-port')
})
