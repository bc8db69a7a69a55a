// A real authority for tests: pebble, of the distribution. It finds every name on this machine, and asks one port for proof.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** How a test's authority is started. */
export interface PebbleOptions {
  /** Where its files may lie. */
  readonly folder: string
  /** The port of this machine that it asks for proof. */
  readonly provePort: number
  /** What it presents to its clients itself: a certificate for 127.0.0.1. */
  readonly certificate: { readonly cert: string; readonly key: string }
}

/** An authority that runs. */
export interface TestAuthority extends AsyncDisposable {
  /** The URL of its ACME directory. */
  readonly directory: string
  /** The file of the certificate that its clients must trust, as `NODE_EXTRA_CA_CERTS`. */
  readonly root: string
  /** Returns the certificate that vouches for those it gives, PEM. */
  ca(): Promise<string>
}

/** Tells whether its programs are installed. */
export function isPebbleHere(): boolean {
  return spawnSync('sh', ['-c', 'command -v pebble && command -v pebble-challtestsrv']).status === 0
}

/** Starts an authority. */
export async function startPebble({
  folder,
  provePort,
  certificate: pair,
}: PebbleOptions): Promise<TestAuthority> {
  const [port, management, dns, dnsManagement] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  const [certificate, privateKey, config] = ['ca.pem', 'ca.key', 'pebble.json'].map((name) =>
    join(folder, name),
  ) as [string, string, string]
  writeFileSync(certificate, pair.cert)
  writeFileSync(privateKey, pair.key)
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
  writeFileSync(config, JSON.stringify({ pebble }))
  const environment = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' }
  const start = (program: string, ...args: string[]): ChildProcess =>
    spawn(program, args, { stdio: 'ignore', env: environment })
  const programs = [
    start(
      'pebble-challtestsrv',
      ...['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-dns01', `127.0.0.1:${dns}`],
      ...['-http01', '', '-https01', '', '-tlsalpn01', '', '-management', `127.0.0.1:${dnsManagement}`],
    ),
    start('pebble', '-config', config, '-dnsserver', `127.0.0.1:${dns}`),
  ]
  while ((await get(port, '/dir', pair.cert).catch(() => '')) === '')
    await new Promise((resolve) => setTimeout(resolve, 50))
  return {
    directory: `https://127.0.0.1:${port}/dir`,
    root: certificate,
    ca: () => get(management, '/roots/0', pair.cert),
    async [Symbol.asyncDispose]() {
      for (const program of programs) program.kill('SIGKILL')
      await Promise.all(programs.map((program) => once(program, 'exit')))
    },
  }
}

/** Returns a port of this machine that was free a moment ago, such as for {@link PebbleOptions.provePort}. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

function get(port: number, path: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, ca, agent: false }, (answer) => {
      answer.toArray().then((parts) => resolve(parts.join('')), reject)
    })
    asked.on('error', reject).end()
  })
}
