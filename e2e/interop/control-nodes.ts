// `pnpm interop control`, the other half: what people do at real nodes that have our control server.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '../netns/lab.ts'
import type { InteropCase } from './case.ts'
import { approveLogin, joinTailscaled, kernelPing, type MeshNode, pathIs } from './nodes.ts'
import { type AdminControl, startControl, startRelay } from './servers.ts'
import { buildSite } from './site.ts'

const TAILSCALE = ['tailscaled', 'tailscale']
/** How often a ping is sent while the control server is away, and how many. */
const PING_INTERVAL = '0.05'
const PINGS = 200

const CROWD = new URL('programs/crowd.ts', import.meta.url)
const CROWD_SIZE = 300

/** The cases. */
export const controlNodes: readonly InteropCase[] = [
  {
    name: 'three tailscaled, one without a TUN device and one let in on its page: names, files, logout and login',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['a', 'user', 'page'])
      const [first, second, third] = places
      if (first === undefined || second === undefined || third === undefined)
        throw new RangeError('no places')
      const server = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      const a = await trail('in by a key', () => joinTailscaled(first, server, 'ts-a', peer))
      const user = await trail('in without a TUN', () =>
        joinTailscaled(second, server, 'ts-user', peer, { userspace: true }),
      )
      const approve = (page: string): Promise<unknown> =>
        server.admin('nodes', 'register', '--key', page.split('/').at(-1) ?? '', '--user', 'alice')
      const page = await trail('in by the page', () =>
        joinTailscaled(third, server, 'ts-page', peer, { approve }),
      )
      await trail('pings', async () => {
        await kernelPing(a, page)
        await kernelPing(page, a)
        await kernelPing(a, user)
        await pathIs(user, page, /via 10\.91\./)
      })
      await trail('MagicDNS', () => eventually('the name', () => namedBy(user, 'ts-a', a.address)))
      await trail('Taildrop', () => drop(a, page, 'ts-page'))
      await trail('logged out', async () => {
        await page.cli('logout')
        await eventually('no more peer', async () =>
          (await onlinePeers(a)).has(page.address) ? undefined : true,
        )
      })
      await trail('logged in again', async () => {
        const socket = join(third.folder, 'ts.sock')
        const login = third.namespace.start(
          peer('tailscale'),
          `--socket=${socket}`,
          'login',
          `--login-server=${server.url}`,
        )
        await approveLogin(login, approve)
        const { stdout } = await page.cli('ip', '-4')
        if (stdout.trim() !== page.address) throw new Error(`${page.address} came back as ${stdout}`)
        await kernelPing(a, page)
      })
    },
  },
  {
    name: 'our control killed and started again while two tailscaled talk',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['a', 'b', 'late'])
      const [first, second, late] = places
      if (first === undefined || second === undefined || late === undefined) throw new RangeError('no places')
      const server = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      const [a, b] = await trail('both Running', () =>
        Promise.all([
          joinTailscaled(first, server, 'ts-a', peer),
          joinTailscaled(second, server, 'ts-b', peer),
        ]),
      )
      await trail('direct', async () => {
        await kernelPing(a, b)
        await pathIs(a, b, /via 10\.91\./)
      })
      await trail('not one ping lost', async () => {
        const pings = a.place.namespace.run('ping', '-q', '-i', PING_INTERVAL, '-c', String(PINGS), b.address)
        await server.kill()
        await server.restart()
        const { stdout } = await pings
        if (!stdout.includes(` ${PINGS} received`)) throw new Error(stdout)
      })
      await trail('both known as connected again', () =>
        eventually('both', async () => (await connected(server)) === 2 || undefined, 60_000),
      )
      await trail('a new node reaches them', async () => {
        const c = await joinTailscaled(late, server, 'ts-late', peer)
        await kernelPing(c, a)
        await kernelPing(b, c)
      })
    },
  },
  {
    name: 'two tailscaled among three hundred nodes: their maps come in slices',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['a', 'b'])
      const [first, second] = places
      if (first === undefined || second === undefined) throw new RangeError('no places')
      const server = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      await trail('three hundred in', () =>
        hub.namespace
          .startNode(CROWD, server.url, server.authKey, String(CROWD_SIZE))
          .waitFor(/all know all/, 60_000),
      )
      const a = await trail('in, and knows them all', async () => {
        const node = await joinTailscaled(first, server, 'ts-a', peer)
        await eventually('all of them', async () => (await peerCount(node)) === CROWD_SIZE || undefined)
        return node
      })
      await trail('another one, and a ping', async () => {
        const b = await joinTailscaled(second, server, 'ts-b', peer)
        await eventually('all of them', async () => (await peerCount(b)) === CROWD_SIZE + 1 || undefined)
        await eventually('the other', async () => (await peerCount(a)) === CROWD_SIZE + 1 || undefined)
        await kernelPing(a, b)
        await kernelPing(b, a)
      })
    },
  },
]

/** Returns how many peers a node has in its map. */
async function peerCount(node: MeshNode): Promise<number> {
  const { stdout } = await node.cli('status', '--json')
  const { Peer } = JSON.parse(stdout) as { Peer: Record<string, unknown> | null }
  return Object.keys(Peer ?? {}).length
}

/** Returns whether a node knows another by its name. */
async function namedBy(node: MeshNode, name: string, address: string): Promise<true | undefined> {
  const { stdout } = await node.cli('dns', 'query', `${name}.mesh.internal`)
  return stdout.includes(address) || undefined
}

/** Sends a file from node to node. */
async function drop(from: MeshNode, to: MeshNode, name: string): Promise<void> {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251))
  const file = join(from.place.folder, 'a file.bin')
  writeFileSync(file, bytes)
  await eventually(
    'the target',
    () => from.cli('file', 'cp', file, `${name}:`).catch(() => undefined),
    30_000,
  )
  await to.cli('file', 'get', to.place.folder)
  if (!readFileSync(join(to.place.folder, 'a file.bin')).equals(bytes)) throw new Error('another file came')
}

async function onlinePeers(node: MeshNode): Promise<ReadonlySet<string>> {
  const { stdout } = await node.cli('status', '--json')
  const { Peer } = JSON.parse(stdout) as {
    Peer?: Readonly<
      Record<string, { readonly Online: boolean; readonly TailscaleIPs: readonly string[] }>
    > | null
  }
  const online = Object.values(Peer ?? {}).filter((peer) => peer.Online)
  return new Set(online.flatMap((peer) => peer.TailscaleIPs))
}

async function connected(server: AdminControl): Promise<number> {
  const nodes = (await server.admin('nodes', 'list')) as readonly { readonly online: boolean }[]
  return nodes.filter((node) => node.online).length
}
