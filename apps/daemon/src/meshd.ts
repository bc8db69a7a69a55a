#!/usr/bin/env node
// The daemon: keeps this machine in the mesh and answers the command line on a unix socket. Flags are those of its
// family. What goes wrong at the start is one sentence on stderr and exit code 1.
import { hostname } from 'node:os'
import { join } from 'node:path'
import { json, memoryStore, type StateStore } from '@mesh/net'
import {
  DATA_PLANES,
  type DataPlaneChoice,
  endLogin,
  mapFile,
  MeshNode,
  openFileStore,
  whyNoThread,
} from '@mesh/net/node'
import { sayOn } from '@mesh/sansio/node'
import { Command, InvalidArgumentError, Option } from 'commander'
import pino from 'pino'
import { Backend, type NodeRequest } from './backend.ts'
import { cleanUp } from './cleanup.ts'
import { checkDevice, type DeviceChoice, deviceOptions } from './device.ts'
import { createLocalApi } from './local-api.ts'
import { listenOnSocket } from './listen-socket.ts'
import { defaultSocketPath, defaultStateDirectory } from './socket-path.ts'
import { describePrefs } from './prefs.ts'
import { lockState } from './state-lock.ts'
import { VERSION } from './version.ts'

interface Flags {
  tun: string
  state?: string
  statedir: string
  socket: string
  port: number
  dataPlane: DataPlaneChoice
  portMapping: boolean
  verbose: number
  allowLoopback?: boolean
  cleanup?: boolean
}

/** Milliseconds that a clean end may take; after it the process ends all the same. */
const END_WITHIN = 3000

/** The environment variable by which Tailscale's daemon, too, is told that relays speak plain HTTP: for tests. */
const PLAIN_RELAYS = 'TS_DEBUG_USE_DERP_HTTP'

function readFlags(): Flags {
  return new Command('meshd')
    .description('Keeps this machine in the mesh. Talk to it with the command mesh.')
    .version(VERSION, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this')
    .option('--tun <name>', 'interface to make, or "userspace-networking" for none', 'mesh0')
    .option('--state <path>', 'state file; "mem:" keeps nothing (default: meshd.state in --statedir)')
    .option('--statedir <path>', 'directory for state', defaultStateDirectory())
    .option('--socket <path>', 'path of the socket to answer on', defaultSocketPath())
    .option('--port <port>', 'UDP port for peers; 0 takes any', portNumber, 0)
    .addOption(
      new Option('--data-plane <kind>', 'who moves the packets; auto takes the fastest there is')
        .choices(DATA_PLANES)
        .default('auto')
        .env('MESH_DATA_PLANE'),
    )
    .option('--no-port-mapping', 'do not ask the gateway to forward the UDP port')
    .option('--verbose <level>', 'how much to log: 0, 1 or 2', logLevel, 0)
    .option('--allow-loopback', 'count loopback addresses as reachable: for several nodes on one machine')
    .option('--cleanup', 'take away what a killed daemon left (interface, socket), and end')
    .showSuggestionAfterError()
    .parse()
    .opts<Flags>()
}

function portNumber(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new InvalidArgumentError('It must be a port number.')
}

function logLevel(text: string): number {
  if (/^[012]$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be 0, 1 or 2.')
}

async function main(): Promise<void> {
  const flags = readFlags()
  const device: DeviceChoice =
    flags.tun === 'userspace-networking' ? { kind: 'userspace' } : { kind: 'tun', name: flags.tun }
  if (flags.cleanup) {
    for (const what of await cleanUp(flags.socket, device)) process.stderr.write(`removed ${what}\n`)
    return
  }
  whyNoThread(flags.dataPlane, device.kind === 'tun') // refuses what cannot be had, before anything is begun
  const level = flags.verbose >= 2 ? 'trace' : flags.verbose === 1 ? 'debug' : 'info'
  const log = pino({ base: null, level }, { write: (line) => sayOn(2, line) })
  const statePath = flags.state === 'mem:' ? undefined : (flags.state ?? join(flags.statedir, 'meshd.state'))
  const store = await openStore(statePath)
  const kept = statePath === undefined ? {} : { mapCache: mapFile(`${statePath}.map`) }
  const backend = new Backend({
    store,
    ...kept,
    hostname: hostname(),
    tun: device.kind === 'tun',
    log: (severity, text) => log[severity](text),
    endLogin: (login) => endLogin({ ...login, store, version: VERSION }),
    startNode: (request: NodeRequest) =>
      MeshNode.start({
        ...request,
        ...deviceOptions(device),
        dataPlane: flags.dataPlane,
        ...(flags.portMapping ? {} : { portMapping: false }),
        store,
        ...kept,
        port: flags.port,
        version: VERSION,
        answerCall: ({ path }) => (path === '/debug/prefs' ? json(describePrefs(backend.prefs)) : undefined),
        allowLoopback: flags.allowLoopback ?? false,
        plainRelays: /^(1|true)$/.test(process.env[PLAIN_RELAYS] ?? ''),
        log: (severity, text, fields) => log[severity](fields ?? {}, text),
      }),
  })
  const server = createLocalApi(backend)
  await listenOnSocket(server, flags.socket)
  await checkDevice(device).catch((error: unknown) => {
    server.close()
    throw error
  })
  endOnSignals(async () => {
    server.close()
    server.closeAllConnections()
    await backend.close()
  })
  log.info({ socket: flags.socket, tun: flags.tun, version: VERSION }, 'meshd is ready')
  await backend.resume()
}

async function openStore(path: string | undefined): Promise<StateStore> {
  if (path === undefined) return memoryStore()
  await lockState(path)
  return openFileStore(path)
}

function endOnSignals(end: () => Promise<void>): void {
  let ending = false
  const stop = (): void => {
    if (ending) return
    ending = true
    setTimeout(() => process.exit(1), END_WITHIN).unref()
    end().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`meshd: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
