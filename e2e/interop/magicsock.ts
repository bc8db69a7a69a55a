// `pnpm interop magicsock`: the paths that our daemon and a real tailscaled find to each other, behind routers of
// several kinds, and through each other as peer relays. A real headscale is the control server, and carries the grants.
import { eventually } from '../netns/lab.ts'
import type { InteropCase, Trail } from './case.ts'
import { buildNatSite, SECOND_REGION, type Stand, type Standing } from './nat-site.ts'
import { joinMeshd, joinTailscaled, kernelPing, type MeshNode, pathIs } from './nodes.ts'
import { type Control, startHeadscale } from './servers.ts'

const PEERS = ['tailscaled', 'tailscale', 'headscale']
/** The port on which a peer relay listens. */
const RELAY_PORT = '7777'
const DIRECT = /via 203\.0\.113\.\d+:\d+ in/
const PEER_RELAY = /via peer-relay\(203\.0\.113\.101:7777:vni:\d+\)/
const DERP = /via DERP/
/** The first node to come gets the first address: everybody may use it as a peer relay. */
const POLICY = {
  hosts: { relay: '100.64.0.1/32' },
  grants: [
    { src: ['*'], dst: ['*'], ip: ['*'] },
    { src: ['*'], dst: ['relay'], app: { 'tailscale.com/cap/relay': [{}] } },
  ],
}

/** The cases. */
export const magicsock: readonly InteropCase[] = [
  pair('easy NATs on both sides', 'portcone', 'portcone', DIRECT),
  pair('meshd behind a hard NAT, tailscaled with a public address', 'sym', 'open', DIRECT),
  pair('tailscaled behind a hard NAT, meshd with a public address', 'open', 'sym', DIRECT),
  pair(
    'meshd behind a hard NAT, tailscaled behind an easy one: relayed, and nobody searches',
    'sym',
    'portcone',
    DERP,
  ),
  pair(
    'tailscaled behind a hard NAT, meshd behind an easy one: relayed, and nobody searches',
    'portcone',
    'sym',
    DERP,
  ),
  pair('UDP blocked for meshd', 'noudp', 'portcone', DERP),
  pair('UDP blocked for tailscaled', 'portcone', 'noudp', DERP),
  {
    name: 'meshd and tailscaled, both behind hard NATs, through a tailscaled that is a peer relay',
    peers: PEERS,
    run: async (lab, trail, peer) => {
      const { control, stands } = await begin(lab, trail, peer, ['open', 'sym', 'sym'])
      const relay = await trail('relay joined', () => joinTailscaled(stands[0], control, 'relay', peer))
      await relay.cli('set', `--relay-server-port=${RELAY_PORT}`)
      const ours = await trail('meshd joined', () => joinMeshd(stands[1], control, 'ours'))
      const theirs = await trail('tailscaled joined', () => joinTailscaled(stands[2], control, 'ts', peer))
      await meetAtRelay(trail, ours, theirs)
    },
  },
  {
    name: 'meshd and tailscaled, both behind hard NATs, through a meshd that is a peer relay',
    peers: PEERS,
    run: async (lab, trail, peer) => {
      const { control, stands } = await begin(lab, trail, peer, ['open', 'sym', 'sym'])
      const relay = await trail('relay joined', () => joinMeshd(stands[0], control, 'relay'))
      await trail('relay serves', () => serve(relay, peer))
      const ours = await trail('meshd joined', () => joinMeshd(stands[1], control, 'ours'))
      const theirs = await trail('tailscaled joined', () => joinTailscaled(stands[2], control, 'ts', peer))
      await meetAtRelay(trail, ours, theirs)
    },
  },
  {
    name: 'two tailscaled, both behind hard NATs, through a meshd that is a peer relay',
    peers: PEERS,
    run: async (lab, trail, peer) => {
      const { control, stands } = await begin(lab, trail, peer, ['open', 'sym', 'sym'])
      const relay = await trail('relay joined', () => joinMeshd(stands[0], control, 'relay'))
      await trail('relay serves', () => serve(relay, peer))
      const a = await trail('one joined', () => joinTailscaled(stands[1], control, 'ts-a', peer))
      const b = await trail('the other joined', () => joinTailscaled(stands[2], control, 'ts-b', peer))
      await meetAtRelay(trail, a, b)
    },
  },
]

/** A meshd and a tailscaled, each behind a router of its kind, and the path they end on. */
function pair(name: string, ours: Standing, theirs: Standing, path: RegExp): InteropCase {
  return {
    name,
    peers: PEERS,
    run: async (lab, trail, peer) => {
      const { control, stands } = await begin(lab, trail, peer, [ours, theirs])
      const a = await trail('meshd joined', () => joinMeshd(stands[0], control, 'ours'))
      const b = await trail('tailscaled joined', () => joinTailscaled(stands[1], control, 'ts', peer))
      await trail('ping one way', () => kernelPing(a, b))
      await trail('ping the other way', () => kernelPing(b, a))
      await trail(`path of meshd ${path.source.slice(0, 8)}`, () => pathIs(a, b, path))
      await trail('path of tailscaled too', () => pathIs(b, a, path))
      if (path === DIRECT) await trail('a large ping, and one of its PeerAPI', () => pingMore(a, b, peer))
      if (path === DERP) await trail('still relayed, still there', () => staysRelayed(a, b))
    },
  }
}

/** Pings of the family's own command line at our daemon: of a size, and to what only a real tailscaled offers. */
async function pingMore(a: MeshNode, b: MeshNode, peer: (program: string) => string): Promise<void> {
  const ping = async (flag: string): Promise<string> => {
    const socket = `--socket=${a.place.folder}/m.sock`
    const { stdout } = await a.place.namespace.run(
      peer('tailscale'),
      socket,
      'ping',
      flag,
      '--c=1',
      b.address,
    )
    return stdout
  }
  if (!DIRECT.test(await ping('--size=1200'))) throw new Error('no answer to a ping of 1,200 bytes')
  const said = await ping('--peerapi')
  if (!said.includes(`hit peerapi of ${b.address}`)) throw new Error(`no PeerAPI: ${said}`)
}

interface Begun {
  readonly control: Control
  readonly stands: readonly [Stand, Stand, Stand]
}

async function begin(
  lab: Parameters<InteropCase['run']>[0],
  trail: Trail,
  peer: (program: string) => string,
  standings: readonly Standing[],
): Promise<Begun> {
  const { hub, stands } = await buildNatSite(lab, standings)
  const control = await trail('headscale up', () =>
    startHeadscale(hub, peer('headscale'), { policy: POLICY, regions: SECOND_REGION }),
  )
  return { control, stands: stands as Begun['stands'] }
}

/** Has our daemon relay, by the wish that the family's own command line sends. */
async function serve(relay: MeshNode, peer: (program: string) => string): Promise<void> {
  const socket = `--socket=${relay.place.folder}/m.sock`
  await relay.place.namespace.run(peer('tailscale'), socket, 'set', `--relay-server-port=${RELAY_PORT}`)
}

async function meetAtRelay(trail: Trail, a: MeshNode, b: MeshNode): Promise<void> {
  await trail('ping one way', () => kernelPing(a, b))
  await trail('ping the other way', () => kernelPing(b, a))
  await trail('through the peer relay', () => pathIs(a, b, PEER_RELAY))
  await trail('back through it too', () => pathIs(b, a, PEER_RELAY))
  await trail('traffic through it', () => kernelPing(a, b))
}

/** What our side does to find a path must not disturb the other: half a minute later nothing has got worse. */
async function staysRelayed(a: MeshNode, b: MeshNode): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    await a.place.namespace.run('ping', '-c', '5', '-i', '0.5', '-W', '2', b.address)
  }
  await eventually('a relayed pong', async () => {
    const { stdout } = await b.cli('ping', '--c=1', '--until-direct=false', a.address)
    return DERP.test(stdout) || undefined
  })
}
