import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tunUnsupportedReason } from '@mesh/tun/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Ended, MESH_COMMAND, Workshop } from './support.ts'

let shop: Workshop
let socket: string
beforeEach(() => {
  shop = new Workshop()
  socket = shop.path('s')
})
afterEach(() => shop.close())

/** The one line on stderr of a program that failed as it should; else what is wrong with it. */
function sentenceOf({ code, stdout, stderr }: Ended): string {
  const asItShould = code === 1 && stdout === '' && stderr.trim().split('\n').length === 1
  return asItShould ? stderr.trim() : `NOT ONE SENTENCE, exit code ${code}: ${stdout}${stderr}`
}

/** Runs a line in bash, which tells how a pipe ended. */
function inShell(line: string): Promise<{ status: unknown; stderr: string }> {
  return new Promise((resolve) => {
    execFile('bash', ['-c', line], (error, _stdout, stderr) => resolve({ status: error?.code ?? 0, stderr }))
  })
}

describe('mesh', () => {
  const mesh = async (...args: string[]): Promise<string> =>
    sentenceOf(await shop.run('mesh', '--socket', socket, ...args))

  test('says that the daemon does not run', async () => {
    expect(await mesh('status')).toMatch(/^meshd is not running .*\.$/)
  })

  test.each([
    [['up', '--nonsense'], /unknown option '--nonsense'/],
    [['nonsense'], /unknown command 'nonsense'/],
    [['ping'], /missing required argument/],
    [['ping', 'b', '--c=many'], /must be a whole number/],
    [['ping', 'b', '--size=large'], /must be a whole number/],
    [['set'], /^Name what to set/],
    [['set', '--relay-server-port=70000'], /must be a port/],
    [['netcheck', '--format=xml'], /Allowed choices are json, json-line/],
    [['up', '--timeout=soon'], /must be a duration/],
    [['up', '--login-server=ftp://x'], /must be an http:\/\/ or https:\/\/ address/],
    [['up', '--login-server=http://127.0.0.1:9', '--auth-key=file:/nowhere'], /cannot be read \(ENOENT\)\.$/],
  ])('refuses %j in one sentence', async (args, pattern) => {
    expect(await mesh(...args)).toMatch(pattern)
  })

  test.each([
    ['| true', 141, ''],
    ['> /dev/full', 1, 'The answer cannot be written (ENOSPC).\n'],
  ])('ends without a stack trace when its answer goes "%s"', async (where, code, said) => {
    const { status, stderr } = await inShell(`set -o pipefail; ${MESH_COMMAND} version ${where}`)
    expect([status, stderr]).toEqual([code, said])
  })

  test('says that no control server is known yet', async () => {
    await shop.daemon(socket)
    expect(await mesh('up')).toMatch(/^No control server is known yet: .*--login-server/)
  })

  test('says that control cannot be reached, and keeps nothing of the attempt', async () => {
    await shop.daemon(socket)
    const closed = createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address() as AddressInfo
    closed.close()
    expect(await mesh('up', '--login-server', `http://127.0.0.1:${port}`)).toMatch(
      /cannot reach the control server .*\.$/i,
    )
    expect(existsSync(shop.path('meshd.state'))).toBe(false)
    expect(await mesh('status')).toMatch(/logged out: use mesh up/)
  })

  test('says that an auth key is wrong; no log has the key and nothing is kept (threat 7)', async () => {
    const control = shop.start('mesh-control', [
      'serve',
      '--listen',
      '127.0.0.1:0',
      '--state-dir',
      shop.path('c'),
    ])
    const [, url = ''] = await control.printed(/listening on (\S+)/)
    const daemon = await shop.daemon(socket, '--verbose=2')
    writeFileSync(shop.path('key'), 'a-very-secret-wrong-key\n', { mode: 0o600 })
    const said = await mesh('up', '--login-server', url, `--auth-key=file:${shop.path('key')}`)
    expect(said).toMatch(/^The control server refused the login: .*\.$/)
    const kept = existsSync(shop.path('meshd.state')) ? readFileSync(shop.path('meshd.state'), 'utf8') : ''
    expect(kept).not.toContain('_nodekey')
    for (const program of [daemon, control]) {
      program.kill('SIGTERM')
      const { stdout, stderr } = await program.ended
      expect(stdout + stderr).not.toContain('a-very-secret-wrong-key')
    }
  })
})

describe('meshd', () => {
  const meshd = async (...args: string[]): Promise<string> =>
    sentenceOf(await shop.run('meshd', '--socket', socket, ...args))

  test.each([
    [['--nonsense'], /unknown option '--nonsense'/],
    [['--port=70000'], /must be a port number/],
    [['--verbose=loud'], /must be 0, 1 or 2/],
    [['--data-plane=fast'], /Allowed choices are auto, linux, wasm, portable/],
    [
      ['--data-plane=linux', '--tun=userspace-networking', '--state=mem:'],
      /There is no linux data plane here: it needs a TUN device\.$/,
    ],
    [['--tun=userspace-networking', '--state=/proc/x/y'], /state file .* cannot be locked \(ENOENT\)\.$/],
  ])('refuses %j in one sentence', async (args, pattern) => {
    expect(await meshd(...args)).toMatch(pattern)
  })

  test('leaves the socket to a daemon that answers on it', async () => {
    await shop.daemon(socket)
    expect(await meshd('--tun=userspace-networking', '--state=mem:')).toMatch(
      /Another meshd is running on .*\.$/,
    )
    expect((await shop.run('mesh', '--socket', socket, 'status', '--json')).code).toBe(0)
  })

  test('takes the socket of a daemon that was killed', async () => {
    const first = await shop.daemon(socket)
    first.kill('SIGKILL')
    await first.ended
    await shop.daemon(socket)
    expect((await shop.run('mesh', '--socket', socket, 'status', '--json')).code).toBe(0)
  })

  test('says that its state file is damaged, and leaves it as it is', async () => {
    const file = shop.path('meshd.state')
    writeFileSync(file, '{"_nodekey":')
    expect(await meshd('--tun=userspace-networking', '--state', file)).toMatch(
      /The state file .* is damaged: .*\.$/,
    )
    expect(readFileSync(file, 'utf8')).toBe('{"_nodekey":')
  })

  test('says that it has no rights for a TUN, and what to do instead', async ({ skip }) => {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) skip('needs root, to give rights up')
    const place = `/tmp/mesh-nobody-${process.pid}.sock`
    const nobody = shop.start('meshd', ['--tun=mesh9', '--state=mem:', '--socket', place], { uid: 65_534 })
    const ended = await nobody.ended
    if (!ended.stderr.includes('TUN') && /EACCES/.test(ended.stderr))
      skip('another user cannot read the sources')
    expect(sentenceOf(ended)).toMatch(
      /TUN needs root or CAP_NET_ADMIN.*; or run with --tun=userspace-networking\.$/,
    )
    expect(existsSync(place)).toBe(false)
  })

  test.for([
    [
      'lo',
      /^meshd: An interface lo exists already and is not a TUN; or run with --tun=userspace-networking\.$/,
    ],
    ['a'.repeat(16), /^meshd: Not an interface name of 1 to 15 bytes: "a+"; or run with .*\.$/],
  ] as const)(
    'says that %s is no interface that it can have, and what to do instead',
    async ([name, said], { skip }) => {
      const reason = tunUnsupportedReason()
      if (reason !== undefined) skip(reason)
      expect(await meshd(`--tun=${name}`, '--state=mem:')).toMatch(said)
    },
  )

  test('says that its UDP port is in use', async () => {
    const taken = createSocket('udp4').bind(0)
    await once(taken, 'listening')
    const { port } = taken.address()
    await shop.daemon(socket, `--port=${port}`)
    const up = await shop.run(
      'mesh',
      '--socket',
      socket,
      'up',
      '--login-server=http://127.0.0.1:9',
      '--auth-key=x',
    )
    taken.close()
    expect(sentenceOf(up)).toMatch(new RegExp(`UDP port ${port} is in use`))
  })
})
