// `pnpm interop control`: does what an administrator does at our control server happen at real nodes?
import { eventually } from '../netns/lab.ts'
import type { InteropCase } from './case.ts'
import { joinTailscaled, kernelPing, type MeshNode, pathIs } from './nodes.ts'
import { type AdminControl, startAskingDerper, startControl, startRelay } from './servers.ts'
import { buildSite, OUTSIDE, placeBeyond } from './site.ts'

const TAILSCALE = ['tailscaled', 'tailscale']
/** A subnet that both routers have, and an address in it that both answer for. */
const SUBNET = '10.77.0.0/24'
const HOST = '10.77.0.1'

/** The cases. */
export const control: readonly InteropCase[] = [
  {
    name: 'a subnet route approved, used, and taken over by another router',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['client', 'r1', 'r2'])
      const server = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      const [client, ...routers] = await trail('all Running', () => joinAll(places, server, peer))
      if (client === undefined) throw new RangeError('there is no client')
      await trail('offered, and nobody’s yet', async () => {
        await client.cli('set', '--accept-routes')
        for (const router of routers) {
          await router.place.namespace.run('ip', 'address', 'add', `${HOST}/32`, 'dev', 'lo')
          await router.cli('set', `--advertise-routes=${SUBNET}`)
        }
        await eventually('the offers', async () => (await offering(server)).length === 2 || undefined)
        if (await reaches(client, HOST)) throw new Error('the subnet is reached before it is approved')
      })
      await trail('approved and reached', async () => {
        for (const router of routers)
          await server.admin('nodes', 'approve-routes', router.address, '-r', SUBNET)
        await eventually('the subnet', async () => (await reaches(client, HOST)) || undefined, 30_000)
      })
      await trail('taken over', async () => {
        const primary = await primaryOf(server)
        const router = routers.find(({ address }) => primary.ipAddresses.includes(address))
        await router?.cli('down')
        const takenOver = async (): Promise<true | undefined> => {
          const now = await primaryOf(server)
          return (now.id !== primary.id && (await reaches(client, HOST))) || undefined
        }
        await eventually('the other router', takenOver, 30_000)
        await router?.cli('up')
      })
      await trail('taken over from one that hangs', async () => {
        const primary = await primaryOf(server)
        const router = routers.find(({ address }) => primary.ipAddresses.includes(address))
        const other = routers.find((each) => each !== router)
        if (router === undefined || other === undefined) throw new Error('there are not two routers')
        // Control asks both by now, and both answer.
        await other.cli('ping', '--c=1', '--until-direct=false', client.address)
        await new Promise((resolve) => setTimeout(resolve, 8000))
        process.kill(router.daemon.pid, 'SIGSTOP')
        const takenOver = async (): Promise<true | undefined> =>
          (await primaryOf(server)).ipAddresses.includes(other.address) || undefined
        await eventually('the other router', takenOver, 20_000)
        await eventually('the subnet', async () => (await reaches(client, HOST)) || undefined, 10_000)
      })
    },
  },
  {
    name: 'an exit node approved and used',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['client', 'exit'])
      const server = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      const [client, exit] = pair(await trail('both Running', () => joinAll(places, server, peer)))
      await trail('a host beyond it', () => placeBeyond(lab, exit.place))
      await trail('approved', async () => {
        await exit.cli('set', '--advertise-exit-node')
        await eventually('the offer', async () => (await offering(server)).length === 1 || undefined)
        await server.admin('nodes', 'approve-routes', exit.address, '-r', '0.0.0.0/0')
        if (await reaches(client, OUTSIDE)) throw new Error('traffic leaves by the exit node unasked')
      })
      await trail('used', async () => {
        const use = (): Promise<unknown> =>
          client.cli('set', `--exit-node=${exit.address}`).catch(() => undefined)
        await eventually('the client to take it', use)
        await eventually('the way out', async () => (await reaches(client, OUTSIDE)) || undefined, 30_000)
      })
    },
  },
  {
    name: 'two tailscaled that meet at the relay inside our control only',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['a', 'b'], 'hub-only')
      const server = await trail('server up', () => startControl(hub, 'embedded'))
      const [a, b] = pair(await trail('both Running', () => joinAll(places, server, peer)))
      await trail('ping', () => kernelPing(a, b))
      await trail('relayed', () => pathIs(a, b, /via DERP/))
    },
  },
  {
    name: 'two tailscaled that meet at a real derper only, which asks our control whom to serve',
    peers: [...TAILSCALE, 'derper'],
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['a', 'b'], 'hub-only')
      const relay = startAskingDerper(hub, peer('derper'))
      const server = await trail('servers up', () => startControl(hub, relay))
      const [a, b] = pair(await trail('both Running', () => joinAll(places, server, peer)))
      await trail('ping', () => kernelPing(a, b))
      await trail('relayed', () => pathIs(a, b, /via DERP/))
    },
  },
  {
    name: 'a node renamed, logged out and in by its administrator, and deleted',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['a', 'b'])
      const server = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      const [a, b] = pair(await trail('both Running', () => joinAll(places, server, peer)))
      await trail('renamed', async () => {
        await server.admin('nodes', 'rename', 'printer', b.address)
        await eventually(
          'the new name',
          async () => (await names(a)).includes('printer.mesh.internal.') || undefined,
        )
      })
      await trail('asked, and there', async () => {
        for (const way of [[], ['--c2n']]) {
          const { roundTrip } = (await server.admin('nodes', 'ping', b.address, ...way)) as {
            roundTrip: unknown
          }
          if (typeof roundTrip !== 'number') throw new Error(`no answer to nodes ping ${way.join()}`)
        }
      })
      await trail('expired', async () => {
        await server.admin('nodes', 'expire', b.address)
        await eventually('NeedsLogin', async () => (await stateOf(b)) === 'NeedsLogin' || undefined)
      })
      await trail('expiry lifted', async () => {
        await server.admin('nodes', 'expire', b.address, '--disable')
        await eventually('Running', async () => (await stateOf(b)) === 'Running' || undefined, 30_000)
        await kernelPing(a, b)
      })
      await trail('deleted', async () => {
        await server.admin('nodes', 'delete', b.address)
        await eventually('no peers', async () => (await names(a)).length === 0 || undefined)
        await eventually('NeedsLogin', async () => (await stateOf(b)) === 'NeedsLogin' || undefined)
      })
    },
  },
]

interface NodeLine {
  readonly id: string
  readonly ipAddresses: readonly string[]
  readonly availableRoutes: readonly string[]
  readonly subnetRoutes: readonly string[]
}

async function joinAll(
  places: readonly Parameters<typeof joinTailscaled>[0][],
  server: AdminControl,
  peer: (program: string) => string,
): Promise<MeshNode[]> {
  return Promise.all(places.map((place, index) => joinTailscaled(place, server, `ts-${index}`, peer)))
}

async function nodesOf(server: AdminControl): Promise<readonly NodeLine[]> {
  return (await server.admin('nodes', 'list')) as readonly NodeLine[]
}

async function offering(server: AdminControl): Promise<readonly NodeLine[]> {
  return (await nodesOf(server)).filter((node) => node.availableRoutes.length > 0)
}

async function primaryOf(server: AdminControl): Promise<NodeLine> {
  const serving = (await nodesOf(server)).filter((node) => node.subnetRoutes.includes(SUBNET))
  const [primary, ...others] = serving
  if (primary === undefined || others.length > 0) throw new Error(`${serving.length} nodes serve ${SUBNET}`)
  return primary
}

async function reaches(from: MeshNode, address: string): Promise<boolean> {
  const ping = from.place.namespace.run('ping', '-c', '1', '-W', '2', address)
  return ping.then(
    () => true,
    () => false,
  )
}

interface StatusJson {
  readonly BackendState: string
  readonly Peer?: Readonly<Record<string, { readonly DNSName: string }>> | null
}

async function statusOf(node: MeshNode): Promise<StatusJson> {
  const { stdout } = await node.cli('status', '--json')
  return JSON.parse(stdout) as StatusJson
}

async function stateOf(node: MeshNode): Promise<string> {
  return (await statusOf(node)).BackendState
}

async function names(node: MeshNode): Promise<readonly string[]> {
  return Object.values((await statusOf(node)).Peer ?? {}).map((peer) => peer.DNSName)
}

function pair<T>(list: readonly T[]): [T, T] {
  const [a, b] = list
  if (a === undefined || b === undefined) throw new RangeError('a pair needs two')
  return [a, b]
}
