// `pnpm interop control`, names: what our control server says of DNS, at a real node that takes over the resolver of its
// system. Each node has an /etc of its own for that.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '../netns/lab.ts'
import type { InteropCase } from './case.ts'
import { inEtc, joinTailscaled, type MeshNode } from './nodes.ts'
import { startControl, startRelay } from './servers.ts'
import { buildSite, OUTSIDE, type Place, placeBeyond } from './site.ts'

const TAILSCALE = ['tailscaled', 'tailscale']
const NAME_SERVER = new URL('programs/name-server.ts', import.meta.url)
/** Asks the node's own resolver, whatever the system thinks. */
const ASK_SERVICE = `
  const { Resolver } = require('node:dns/promises')
  const resolver = new Resolver()
  resolver.setServers(['100.100.100.100'])
  resolver.resolve4(process.argv[1]).then((found) => console.log(found.join()))`

/** The cases. */
export const controlDns: readonly InteropCase[] = [
  {
    name: 'names of peers, of records and of the world outside, by the resolver of the system',
    peers: TAILSCALE,
    programs: ['getent'],
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['a', 'b'])
      const [first, second] = places
      if (first === undefined || second === undefined) throw new RangeError('no places')
      const server = await trail('servers up', async () => {
        // The name by which nodes would know the server is one of the world outside.
        await startNames(hub, hub.address, `control.example=${hub.address}`)
        const names = ['--search-domain', 'corp.example', '--dns-record', 'printer.corp.example=100.64.0.99']
        return startControl(hub, await startRelay(hub), ...names)
      })
      const etc = makeEtc(first, hub.address)
      const [a, b] = await trail('both Running', () =>
        Promise.all([
          joinTailscaled(first, server, 'ts-a', peer, { etc, takesNames: true }),
          joinTailscaled(second, server, 'ts-b', peer),
        ]),
      )
      await trail('a peer, asked for at 100.100.100.100', () =>
        eventually('the answer', async () => {
          const asked = first.namespace.run(process.execPath, '-e', ASK_SERVICE, 'ts-b.mesh.internal')
          const { stdout } = await asked.catch(() => ({ stdout: '' }))
          return stdout.trim() === b.address || undefined
        }),
      )
      await trail('search domains', async () => {
        const text = readFileSync(join(etc, 'resolv.conf'), 'utf8')
        for (const line of ['nameserver 100.100.100.100', 'search mesh.internal corp.example'])
          if (!text.split('\n').includes(line)) throw new Error(`no line "${line}" in:\n${text}`)
      })
      for (const [what, name, address] of [
        ['a peer by its short name', 'ts-b', b.address],
        ['a record by its short name', 'printer', '100.64.0.99'],
        ['the name of the server', 'control.example', hub.address],
      ] as const)
        await trail(what, () => resolvesTo(a, etc, name, address))
    },
  },
  {
    name: 'names that only an exit node can ask for',
    peers: TAILSCALE,
    programs: ['getent'],
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['client', 'exit'])
      const [first, second] = places
      if (first === undefined || second === undefined) throw new RangeError('no places')
      const server = await trail('servers up', async () => {
        await startNames(hub, hub.address, `control.example=${hub.address}`)
        return startControl(hub, await startRelay(hub))
      })
      const beyond = await trail('a name server beyond it', async () => {
        const outside = await placeBeyond(lab, second)
        await startNames(outside, outside.address, `secret.example=${OUTSIDE}`)
        return outside.address
      })
      const [etc, exitEtc] = [makeEtc(first, hub.address), makeEtc(second, beyond)]
      const [client, exit] = await trail('both Running', () =>
        Promise.all([
          joinTailscaled(first, server, 'ts-client', peer, { etc, takesNames: true }),
          joinTailscaled(second, server, 'ts-exit', peer, {
            etc: exitEtc,
            flags: ['--advertise-exit-node'],
          }),
        ]),
      )
      await trail('not known without it', async () => {
        await server.admin('nodes', 'approve-routes', exit.address, '-r', '0.0.0.0/0')
        await resolvesTo(client, etc, 'control.example', hub.address)
        if ((await resolve(client, etc, 'secret.example')) !== '') throw new Error('the name is known')
      })
      await trail('asked for there', async () => {
        await eventually('the client to take it', () =>
          client.cli('set', `--exit-node=${exit.address}`).catch(() => undefined),
        )
        await resolvesTo(client, etc, 'secret.example', OUTSIDE)
      })
    },
  },
]

async function startNames(at: Place, address: string, ...records: readonly string[]): Promise<void> {
  await at.namespace.startNode(NAME_SERVER, address, ...records).waitFor(/answering/)
}

/** Makes what a node finds under /etc. Returns the folder. */
function makeEtc({ folder }: Place, nameServer: string): string {
  const etc = join(folder, 'etc')
  mkdirSync(etc)
  writeFileSync(join(etc, 'resolv.conf'), `nameserver ${nameServer}\n`)
  writeFileSync(join(etc, 'nsswitch.conf'), 'hosts: files dns\n')
  writeFileSync(join(etc, 'hosts'), '127.0.0.1 localhost\n')
  writeFileSync(join(etc, 'passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  return etc
}

/** Returns what the system of a node finds under a name; empty for nothing. */
async function resolve({ place }: MeshNode, etc: string, name: string): Promise<string> {
  const [shell, ...rest] = inEtc(etc)
  const asked = place.namespace.run(shell, ...rest, 'getent', 'ahostsv4', name)
  const { stdout } = await asked.catch(() => ({ stdout: '' }))
  return stdout.split(/\s/)[0] ?? ''
}

function resolvesTo(node: MeshNode, etc: string, name: string, address: string): Promise<true> {
  return eventually(
    `${name} to be ${address}`,
    async () => (await resolve(node, etc, name)) === address || undefined,
    30_000,
  )
}
