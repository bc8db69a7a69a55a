// The servers of a case, started in the hub: our control server and relay, or a real headscale with its own relay.
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Place } from './site.ts'
import { eventually, type Started } from '../netns/lab.ts'

/** A control server that nodes can log in to. */
export interface Control {
  readonly url: string
  readonly authKey: string
  /** Whether its relay speaks plain HTTP, which nodes take only when told to. */
  readonly plainRelay: boolean
}

/** A control server with a way to its command line. */
export interface AdminControl extends Control {
  /** Runs an administrator's command and returns its JSON. */
  readonly admin: (...args: readonly string[]) => Promise<unknown>
  /** Kills the server without a warning. */
  readonly kill: () => Promise<void>
  /** Starts it again. */
  readonly restart: () => Promise<void>
  /** Has it say nothing more, though its connections stay. */
  readonly freeze: () => void
}

const program = (path: string): URL => new URL(`../../apps/${path}`, import.meta.url)
const CONTROL = program('control/src/mesh-control.ts')
const RELAY = program('relay/src/mesh-relay.ts')

/** Starts our relay in the hub with a certificate it signs itself, and returns how control is to name it to nodes. */
export async function startRelay(hub: Place): Promise<string> {
  const tls = ['--certmode', 'self-signed', '--hostname', hub.address, '--http-port', '-1']
  const config = join(hub.folder, 'relay.json')
  const relay = hub.namespace.startNode(RELAY, '--a', `${hub.address}:3340`, '-c', config, ...tls)
  const [, pin] = await relay.waitFor(/"CertName":"(sha256-raw:\w+)"/)
  return `https://${hub.address}:3340,cert=${pin}`
}

/**
 * Starts our control server in the hub, with a relay beside it or, named `embedded`, in it; makes a user and a reusable key.
 *
 * @param more - Flags of `serve`.
 */
export async function startControl(
  hub: Place,
  relay: string,
  ...more: readonly string[]
): Promise<AdminControl> {
  const state = join(hub.folder, 'control')
  const listen = ['--listen', `${hub.address}:8080`, '--state-dir', state, ...more]
  listen.push(...(relay === 'embedded' ? ['--embedded-relay'] : ['--relay', relay]))
  let control: Started
  const start = async (): Promise<void> => {
    control = hub.namespace.startNode(CONTROL, 'serve', ...listen)
    await control.waitFor(/mesh-control listening on/)
  }
  await start()
  const flags = ['--state-dir', state]
  await hub.namespace.startNode(CONTROL, 'users', 'create', 'alice', ...flags).waitFor(/number/)
  const key = hub.namespace.startNode(CONTROL, 'preauthkeys', 'create', '-u', 'alice', '--reusable', ...flags)
  const [authKey] = await key.waitFor(/^\S{20,}$/m)
  const node = [process.execPath, '--conditions=@mesh/source', CONTROL.pathname] as const
  const admin = async (...args: readonly string[]): Promise<unknown> => {
    const { stdout } = await hub.namespace.run(...node, ...args, ...flags, '--json')
    return JSON.parse(stdout)
  }
  return {
    url: `http://${hub.address}:8080`,
    authKey,
    plainRelay: relay === 'embedded' || relay.startsWith('http:'),
    admin,
    kill: () => control.kill(),
    restart: start,
    freeze: () => void process.kill(control.pid, 'SIGSTOP'),
  }
}

/** Starts a real derper in the hub that asks our control server whom to serve; returns how to name it to nodes. */
export function startAskingDerper(hub: Place, derper: string): string {
  const ask = `-verify-client-url=http://${hub.address}:8080/verify`
  hub.namespace.start(derper, '-dev', ask, '-verify-client-url-fail-open=false')
  return `http://${hub.address}:3340`
}

/** What differs from the usual headscale. */
export interface HeadscaleOptions {
  /** Who may what; without it everybody reaches everybody. */
  readonly policy?: object
  /** Relay regions besides its own, as its files name them. */
  readonly regions?: object
}

/** Starts a real headscale in the hub with its embedded relay, and makes a user and a reusable key. */
export async function startHeadscale(
  hub: Place,
  headscale: string,
  options: HeadscaleOptions = {},
): Promise<AdminControl> {
  const config = join(hub.folder, 'config.yaml')
  writeFileSync(config, headscaleConfig(hub, options))
  chmodSync(config, 0o600)
  let server: Started
  const start = async (): Promise<void> => {
    server = hub.namespace.start(headscale, '--config', config, 'serve')
    await server.waitFor(/listening and serving HTTP/, 30_000)
  }
  await start()
  const ask = (...args: string[]): Promise<{ stdout: string }> =>
    hub.namespace.run(headscale, '--config', config, ...args)
  await eventually('headscale to take a user', () => ask('users', 'create', 'alice').catch(() => undefined))
  const { stdout } = await ask('preauthkeys', 'create', '--user', '1', '--reusable')
  const authKey = /hskey-auth-[\w-]+/.exec(stdout)?.[0]
  if (authKey === undefined) throw new Error(`headscale printed no key: ${stdout}`)
  return {
    url: `http://${hub.address}:8080`,
    authKey,
    plainRelay: true,
    admin: async (...args) => {
      const { stdout: json } = await ask(...args, '--output', 'json')
      return json.trim() === '' ? undefined : JSON.parse(json)
    },
    kill: () => server.kill(),
    restart: start,
    freeze: () => void process.kill(server.pid, 'SIGSTOP'),
  }
}

/** JSON is YAML, but that keys are numbers must be seen from their having no quotes. */
function yamlOf(value: object): string {
  return JSON.stringify(value).replaceAll(/"(\d+)":/g, '$1: ')
}

function headscaleConfig(hub: Place, { policy, regions }: HeadscaleOptions): string {
  const at = (name: string): string => join(hub.folder, name)
  if (policy !== undefined) writeFileSync(at('policy.json'), JSON.stringify(policy))
  if (regions !== undefined) writeFileSync(at('derp.yaml'), yamlOf({ regions }))
  return JSON.stringify({
    server_url: `http://${hub.address}:8080`,
    listen_addr: `${hub.address}:8080`,
    metrics_listen_addr: '127.0.0.1:9090',
    grpc_listen_addr: '127.0.0.1:50443',
    noise: { private_key_path: at('noise.key') },
    prefixes: { v4: '100.64.0.0/10', v6: 'fd7a:115c:a1e0::/48', allocation: 'sequential' },
    derp: {
      server: {
        enabled: true,
        region_id: 999,
        region_code: 'hs',
        region_name: 'headscale',
        stun_listen_addr: `${hub.address}:3478`,
        private_key_path: at('derp.key'),
        automatically_add_embedded_derp_region: true,
        ipv4: hub.address,
      },
      urls: [],
      paths: regions === undefined ? [] : [at('derp.yaml')],
      auto_update_enabled: false,
    },
    disable_check_updates: true,
    database: { type: 'sqlite', sqlite: { path: at('db.sqlite') } },
    ...(policy === undefined ? {} : { policy: { mode: 'file', path: at('policy.json') } }),
    dns: { magic_dns: true, base_domain: 'mesh.test', override_local_dns: false },
    unix_socket: at('headscale.sock'),
    unix_socket_permission: '0700',
  })
}
