// `pnpm interop first`: do real nodes take our control server and relay for theirs, and does our daemon get along with
// a real headscale and a real tailscaled? Each case ends with the kernel's own ping both ways.
import type { InteropCase, Trail } from './case.ts'
import { joinMeshd, joinTailscaled, kernelPing, type MeshNode, pathIs } from './nodes.ts'
import { startControl, startHeadscale, startRelay } from './servers.ts'
import { buildSite } from './site.ts'

const TAILSCALE = ['tailscaled', 'tailscale']

/** The cases, simplest first. */
export const first: readonly InteropCase[] = [
  {
    name: 'two tailscaled on our control and relay',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes } = await buildSite(lab, ['a', 'b'])
      const control = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      const [a, b] = await trail('both Running', () =>
        Promise.all(pair(nodes).map((place, index) => joinTailscaled(place, control, `ts-${index}`, peer))),
      ).then(pair)
      await pingBothWays(trail, a, b)
      await trail('direct', () => pathIs(a, b, /via 10\.91\./))
    },
  },
  {
    name: 'two tailscaled on our control, able to meet at our relay only',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes } = await buildSite(lab, ['a', 'b'], 'hub-only')
      const control = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      const [a, b] = await trail('both Running', () =>
        Promise.all(pair(nodes).map((place, index) => joinTailscaled(place, control, `ts-${index}`, peer))),
      ).then(pair)
      await pingBothWays(trail, a, b)
      await trail('relayed', () => pathIs(a, b, /via DERP/))
    },
  },
  {
    name: 'tailscaled and meshd on our control and relay',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes } = await buildSite(lab, ['ts', 'ours'])
      const control = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      await mixedPair(trail, control, pair(nodes), peer)
    },
  },
  {
    name: 'tailscaled and meshd on a real headscale and its relay',
    peers: [...TAILSCALE, 'headscale'],
    run: async (lab, trail, peer) => {
      const { hub, nodes } = await buildSite(lab, ['ts', 'ours'])
      const control = await trail('headscale up', () => startHeadscale(hub, peer('headscale')))
      await mixedPair(trail, control, pair(nodes), peer)
    },
  },
  {
    name: 'tailscaled and meshd on a real headscale, able to meet at its relay only',
    peers: [...TAILSCALE, 'headscale'],
    run: async (lab, trail, peer) => {
      const { hub, nodes } = await buildSite(lab, ['ts', 'ours'], 'hub-only')
      const control = await trail('headscale up', () => startHeadscale(hub, peer('headscale')))
      const [tailscaled, ours] = pair(nodes)
      const a = await trail('tailscaled Running', () => joinTailscaled(tailscaled, control, 'ts', peer))
      const b = await trail('meshd Running', () => joinMeshd(ours, control, 'ours'))
      await pingBothWays(trail, a, b)
      await trail('relayed', () => pathIs(b, a, /via DERP/))
    },
  },
]

async function mixedPair(
  trail: Trail,
  control: Parameters<typeof joinMeshd>[1],
  [tailscaled, ours]: [Parameters<typeof joinMeshd>[0], Parameters<typeof joinMeshd>[0]],
  peer: (program: string) => string,
): Promise<void> {
  const a = await trail('tailscaled Running', () => joinTailscaled(tailscaled, control, 'ts', peer))
  const b = await trail('meshd Running', () => joinMeshd(ours, control, 'ours'))
  await pingBothWays(trail, a, b)
  await trail('direct from tailscaled', () => pathIs(a, b, /via 10\.91\./))
  await trail('direct from meshd', () => pathIs(b, a, /via 10\.91\./))
}

async function pingBothWays(trail: Trail, a: MeshNode, b: MeshNode): Promise<void> {
  await trail('ping one way', () => kernelPing(a, b))
  await trail('ping the other way', () => kernelPing(b, a))
}

function pair<T>(list: readonly T[]): [T, T] {
  const [a, b] = list
  if (a === undefined || b === undefined) throw new RangeError('a pair needs two')
  return [a, b]
}
