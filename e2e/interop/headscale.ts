// `pnpm interop headscale`: our daemon on a real headscale, beside a real tailscaled: what an administrator does there
// happens at our node.
import { eventually } from '../netns/lab.ts'
import type { InteropCase } from './case.ts'
import { joinMeshd, joinTailscaled, kernelPing, type MeshNode, pathIs } from './nodes.ts'
import { type AdminControl, startHeadscale } from './servers.ts'
import { buildSite } from './site.ts'

const PEERS = ['headscale', 'tailscaled', 'tailscale']

/** The cases. */
export const headscale: readonly InteropCase[] = [
  {
    name: 'meshd on a real headscale: renamed, expired, let in again, and deleted',
    peers: PEERS,
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['ts', 'ours'])
      const [first, second] = places
      if (first === undefined || second === undefined) throw new RangeError('no places')
      const server = await trail('headscale up', () => startHeadscale(hub, peer('headscale')))
      const ts = await trail('tailscaled Running', () => joinTailscaled(first, server, 'ts', peer))
      const ours = await trail('meshd Running', () => joinMeshd(second, server, 'ours'))
      await trail('direct', async () => {
        await kernelPing(ours, ts)
        await pathIs(ours, ts, /via 10\.91\./)
      })
      await trail('a peer renamed', async () => {
        await server.admin('nodes', 'rename', 'printer', '-i', await idOf(server, ts))
        await eventually(
          'the name',
          async () => (await status(ours)).includes('printer.mesh.test') || undefined,
        )
      })
      await trail('expired', async () => {
        await server.admin('nodes', 'expire', '-i', await idOf(server, ours))
        await eventually('NeedsLogin', async () => (await stateOf(ours)) === 'NeedsLogin' || undefined)
      })
      await trail('logged in again under its address', async () => {
        await ours.cli(
          'up',
          `--login-server=${server.url}`,
          `--auth-key=${server.authKey}`,
          '--hostname=ours',
        )
        await kernelPing(ours, ts)
        await kernelPing(ts, ours)
      })
      await trail('headscale restarted', async () => {
        await server.kill()
        await kernelPing(ours, ts)
        await server.restart()
        await eventually('the connection', async () => (await online(server)) === 2 || undefined, 60_000)
      })
      await trail('the peer deleted', async () => {
        await server.admin('nodes', 'delete', '-i', await idOf(server, ts), '--force')
        await eventually('no peer', async () => ((await status(ours)).includes('printer') ? undefined : true))
      })
    },
  },
]

interface NodeLine {
  readonly id: string
  readonly ipAddresses: readonly string[]
  readonly online?: boolean
}

async function nodesOf(server: AdminControl): Promise<readonly NodeLine[]> {
  return (await server.admin('nodes', 'list')) as readonly NodeLine[]
}

async function idOf(server: AdminControl, { address }: MeshNode): Promise<string> {
  const node = (await nodesOf(server)).find((each) => each.ipAddresses.includes(address))
  if (node === undefined) throw new Error(`headscale has no node ${address}`)
  return node.id
}

async function online(server: AdminControl): Promise<number> {
  return (await nodesOf(server)).filter((node) => node.online === true).length
}

async function status(node: MeshNode): Promise<string> {
  return (await node.cli('status', '--json')).stdout
}

async function stateOf(node: MeshNode): Promise<string> {
  return (JSON.parse(await status(node)) as { BackendState: string }).BackendState
}
