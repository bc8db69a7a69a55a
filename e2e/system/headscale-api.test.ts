// Headscale's own command line and API, asked of a real headscale and of our control server: whoever has written a program
// for the one finds the same fields, of the same kinds, at the other. Ours may say more.
import { execFile, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '@mesh/acme/contract'
import { connectControl } from '@mesh/control-client/node'
import { startControl } from '@mesh/control-server/contract'
import { formatDiscoKey, generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { afterEach, beforeEach, expect, test } from 'vitest'

const PROGRAM = fileURLToPath(new URL('../../apps/control/src/mesh-control.ts', import.meta.url))
const OURS = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning', PROGRAM]
const POLICY = '{ "tagOwners": { "tag:web": ["ann@"] }, "acls": [] }'

let folder = ''
const open: (() => unknown)[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mesh-headscale-'))
})

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
  rmSync(folder, { recursive: true })
})

/** A server of either kind. */
interface Server {
  readonly url: string
  readonly apiKey: string
}

/** Runs a command line to its end, and returns how that was. */
type Cli = (...args: readonly string[]) => Promise<{ code: number; out: string; err: string }>

/** What an administrator does, in order, with the numbers and names that both servers give. */
function steps(authId: string): readonly (readonly string[])[] {
  return [
    ['health'],
    ['users', 'create', 'bob'],
    ['users', 'list'],
    ['users', 'list', '--email', 'ann@example.com'],
    ['users', 'rename', '--identifier', '2', '--new-name', 'bobby'],
    ['policy', 'set', '--file', join(folder, 'policy.hujson')],
    ['preauthkeys', 'create', '--user', '1', '--reusable', '--ephemeral', '--expiration', '24h'],
    ['preauthkeys', 'create', '--tags', 'tag:web'],
    ['preauthkeys', 'list'],
    ['preauthkeys', 'expire', '--id', '2'],
    ['preauthkeys', 'delete', '--id', '2'],
    ['apikeys', 'create', '--expiration', '30d'],
    ['apikeys', 'list'],
    ['apikeys', 'expire', '--id', '2'],
    ['apikeys', 'delete', '--id', '2'],
    ['nodes', 'list'],
    ['auth', 'register', '--user', 'ann', '--auth-id', authId],
    ['nodes', 'list', '--user', 'ann'],
    ['nodes', 'approve-routes', '--identifier', '1', '--routes', '10.1.0.0/16'],
    ['nodes', 'list-routes', '--identifier', '1'],
    ['nodes', 'rename', 'printer', '--identifier', '1'],
    ['nodes', 'expire', '--identifier', '1', '--expiry', '2099-01-31T12:00:00Z'],
    ['nodes', 'expire', '--identifier', '1', '--disable'],
    ['nodes', 'tag', '--identifier', '1', '--tags', 'tag:web'],
    ['nodes', 'list'],
    ['nodes', 'backfillips', '--force'],
    ['nodes', 'delete', '--identifier', '1', '--force'],
    ['users', 'destroy', '--name', 'bobby', '--force'],
    ['users', 'destroy', '--name', 'nobody', '--force'],
    ['nodes', 'expire', '--identifier', '77'],
    ['auth', 'approve', '--auth-id', authId],
    ['users', 'create', 'ann'],
  ]
}

/** Verbs of which Headscale prints no data, whatever is asked for. */
const WORDS_ONLY = new Set(['policy set'])

test('a script with headscale’s verbs reads the same of both servers, by its command line and by ours', {
  timeout: 300_000,
}, async ({ skip }) => {
  const headscale = join(process.env['MESH_PEERS'] ?? '', 'headscale')
  if (process.env['MESH_PEERS'] === undefined) return skip('MESH_PEERS names no folder with headscale')
  if (!existsSync(headscale)) return skip('MESH_PEERS has no headscale')
  writeFileSync(join(folder, 'policy.hujson'), POLICY)
  const real = await record(await startHeadscale(headscale), (server) => headscaleCli(headscale, server))
  expect(real.length).toBeGreaterThan(30)
  for (const cli of [(server: Server) => headscaleCli(headscale, server), ourCli]) {
    const ours = await record(await startOurs(), cli)
    for (const [i, theirs] of real.entries()) {
      expect([theirs.step, ours[i]?.code]).toEqual([theirs.step, theirs.code])
      expect([theirs.step, ...missing(theirs.shape, ours[i]?.shape)]).toEqual([theirs.step])
    }
  }
})

interface Recorded {
  readonly step: string
  readonly code: number
  readonly shape: unknown
}

/** Does all steps at a server, and returns what each answered. */
async function record(server: Server, cliOf: (server: Server) => Cli): Promise<readonly Recorded[]> {
  const cli = cliOf(server)
  await cli(
    'users',
    'create',
    'ann',
    '-d',
    'Ann',
    '-e',
    'ann@example.com',
    '-p',
    'https://example.com/ann.png',
  )
  const { out } = await cli('preauthkeys', 'create', '--user', '1', '-o', 'json')
  await logIn(server, (JSON.parse(out) as { key: string }).key)
  const recorded: Recorded[] = []
  for (const args of steps(await waitAtPage(server))) {
    const words = args.slice(0, 2).join(' ')
    const { code, out: said, err } = await cli(...args, '-o', 'json')
    const text = code === 0 ? said : err
    const shape = WORDS_ONLY.has(words) ? 'words' : shapeOf(JSON.parse(text))
    recorded.push({ step: args.join(' '), code, shape })
  }
  return recorded
}

/** Returns what a value is made of: the names of its fields and the kinds of their values. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf)
  if (value === null) return 'null'
  if (typeof value !== 'object') {
    return typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? 'time' : typeof value
  }
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, shapeOf(field)]))
}

/** Returns what of their shape is not in ours, as lines. */
function missing(theirs: unknown, ours: unknown, at = ''): string[] {
  if (theirs === 'null' || ours === 'null') return []
  if (Array.isArray(theirs) && Array.isArray(ours)) {
    const [their, our] = [theirs[0], ours[0]] as unknown[]
    if (theirs.length === 0 || ours.length === 0) return []
    return missing(their, our, `${at}[]`)
  }
  if (typeof theirs === 'object' && typeof ours === 'object' && !Array.isArray(theirs)) {
    const fields = ours as Readonly<Record<string, unknown>>
    return Object.entries(theirs ?? {}).flatMap(([name, field]) => {
      const here = `${at}.${name}`
      return name in fields ? missing(field, fields[name], here) : [`${here} is missing`]
    })
  }
  return theirs === ours ? [] : [`${at} is ${JSON.stringify(ours)}, not ${JSON.stringify(theirs)}`]
}

/** Logs a machine in with a key, and stays. */
function logIn(server: Server, authKey: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const node = connectControl({
      ...machine(server, 'box'),
      authKey,
      onEvent: (event) => {
        if (event.event === 'map') resolve()
        if (event.event === 'trouble') reject(event.error)
      },
    })
    open.push(() => node.close())
  })
}

/** Has a machine wait at its login page, and returns the last part of that. */
function waitAtPage(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    const node = connectControl({
      ...machine(server, 'waiting'),
      onEvent: (event) => {
        if (event.event === 'auth-url') resolve(event.url.split('/').at(-1) ?? '')
        if (event.event === 'trouble') reject(event.error)
      },
    })
    open.push(() => node.close())
  })
}

function machine({ url }: Server, Hostname: string): Omit<Parameters<typeof connectControl>[0], 'onEvent'> {
  return {
    serverUrl: url,
    machineKey: generatePrivateKey(systemRandom),
    nodeKey: generatePrivateKey(systemRandom),
    discoKey: formatDiscoKey(publicKeyOf(generatePrivateKey(systemRandom))),
    hostinfo: { OS: 'linux', Hostname, RoutableIPs: ['10.1.0.0/16'] },
  }
}

async function startOurs(): Promise<Server> {
  const control = await startControl()
  open.push(() => control.close())
  const { key } = await control.admin({ verb: 'apikeys create' })
  return { url: control.url, apiKey: key }
}

const config = (): string => join(folder, 'config.yaml')

async function startHeadscale(headscale: string): Promise<Server> {
  const [port, metrics] = [await freePort(), await freePort()]
  const at = (name: string): string => join(folder, name)
  writeFileSync(
    at('derp.yaml'),
    'regions: { 900: { regionid: 900, regioncode: x, regionname: x, nodes: [] } }\n',
  )
  writeFileSync(
    config(),
    JSON.stringify({
      server_url: `http://127.0.0.1:${port}`,
      listen_addr: `127.0.0.1:${port}`,
      metrics_listen_addr: `127.0.0.1:${metrics}`,
      noise: { private_key_path: at('noise.key') },
      prefixes: { v4: '100.64.0.0/10', v6: 'fd7a:115c:a1e0::/48', allocation: 'sequential' },
      derp: { server: { enabled: false }, urls: [], paths: [at('derp.yaml')], auto_update_enabled: false },
      disable_check_updates: true,
      log: { level: 'warn' },
      policy: { mode: 'database' },
      database: { type: 'sqlite', sqlite: { path: at('db.sqlite') } },
      dns: { magic_dns: true, base_domain: 'mesh.test', override_local_dns: false },
      unix_socket: at('headscale.sock'),
      unix_socket_permission: '0700',
    }),
  )
  chmodSync(config(), 0o600)
  const server = spawn(headscale, ['--config', config(), 'serve'], { stdio: 'ignore' })
  open.push(() => server.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  await expect
    .poll(
      () =>
        fetch(`${url}/health`).then(
          ({ ok }) => ok,
          () => false,
        ),
      { timeout: 30_000 },
    )
    .toBe(true)
  const made = await run(headscale, ['--config', config(), 'apikeys', 'create'], {})
  return { url, apiKey: made.out }
}

function headscaleCli(headscale: string, { url, apiKey }: Server): Cli {
  const env = { HEADSCALE_CLI_ADDRESS: url, HEADSCALE_CLI_API_KEY: apiKey }
  return (...args) => run(headscale, ['--config', config(), ...args], env)
}

function ourCli({ url, apiKey }: Server): Cli {
  const env = { MESH_CONTROL_URL: url, MESH_CONTROL_API_KEY: apiKey }
  return (...args) => run(process.execPath, [...OURS, ...args], env)
}

function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { env: { ...process.env, ...env } }, (error, out, err) => {
      const code = error ? Number(error.code) : 0
      resolve({ code, out: out.trim(), err: err.trim() })
    })
  })
}
