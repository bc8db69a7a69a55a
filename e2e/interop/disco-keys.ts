// `pnpm interop magicsock`: disco keys that change while control says nothing. Each end tells the other in the first packet of a
// session, through the tunnel.
import { eventually } from '../netns/lab.ts'
import type { InteropCase, Trail } from './case.ts'
import { joinMeshd, joinTailscaled, kernelPing, type MeshNode, pathIs, restartMeshd } from './nodes.ts'
import { startControl, startRelay } from './servers.ts'
import { buildSite } from './site.ts'

const DIRECT = /via 10\.91\.\d+\.2:\d+ in/

/** The cases. */
export const discoKeys: readonly InteropCase[] = [
  {
    name: 'W18: a meshd and a tailscaled with new disco keys tell each other through the tunnel, control being frozen',
    peers: ['tailscaled', 'tailscale'],
    run: async (lab, trail, peer) => {
      const { hub, nodes } = await buildSite(lab, ['a', 'b'])
      const [placeA, placeB] = nodes
      if (placeA === undefined || placeB === undefined) throw new RangeError('two nodes are needed')
      const control = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      const first = await trail('meshd joined', () => joinMeshd(placeA, control, 'ours'))
      const theirs = await trail('tailscaled joined', () => joinTailscaled(placeB, control, 'ts', peer))
      await trail('ping', () => kernelPing(first, theirs))
      await trail('straight', () => pathIs(theirs, first, DIRECT))
      const before = await knownDiscoKey(theirs)
      control.freeze()
      const ours = await trail('meshd again, from its disk', () => restartMeshd(first, control))
      await trail('ping', () => kernelPing(ours, theirs))
      await trail('its new key known there', () =>
        eventually('another disco key', async () => (await knownDiscoKey(theirs)) !== before || undefined),
      )
      await meetStraight(trail, ours, theirs)
      await trail('a new key of tailscaled', () => theirs.cli('debug', 'rotate-disco-key'))
      await trail('ping', () => kernelPing(theirs, ours))
      await meetStraight(trail, ours, theirs)
    },
  },
]

/** Disco is sealed for the key of the other: each must know the one that the other has now. */
async function meetStraight(trail: Trail, ours: MeshNode, theirs: MeshNode): Promise<void> {
  await trail('straight there', () => pathIs(ours, theirs, DIRECT))
  await trail('straight back', () => pathIs(theirs, ours, DIRECT))
}

/** The disco key of its only peer, as a tailscaled knows it. */
async function knownDiscoKey({ cli }: MeshNode): Promise<string> {
  const { stdout } = await cli('debug', 'localapi', 'POST', 'debug?action=peer-disco-keys')
  const [discoKey, ...others] = Object.values(JSON.parse(stdout) as Record<string, string>)
  if (discoKey === undefined || others.length > 0) throw new Error(`not one disco key: ${stdout}`)
  return discoKey
}
