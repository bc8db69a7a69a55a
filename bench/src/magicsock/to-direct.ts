// How long two nodes that are there but never met take from the first packet to its delivery, and until packets go
// directly: a real ping by the kernel through both TUN devices, and the routers' own counters. Two of our daemons and two
// real tailscaled in turn, in the same namespaces' likeness, on our control server and relay.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildNatSite, type Stand, type Standing } from '@mesh/e2e/interop/nat-site'
import { joinMeshd, joinTailscaled, type MeshNode } from '@mesh/e2e/interop/nodes'
import { startControl, startRelay } from '@mesh/e2e/interop/servers'
import { witnessed } from '@mesh/e2e/nat/witness'
import { eventually, Lab } from '@mesh/e2e/netns/lab'

/** A ping of this many bytes makes WireGuard datagrams of a length that the routers count. */
const PING_BYTES = 900
/** A ping every so many milliseconds. */
const PING_INTERVAL = 20

/** Milliseconds between two looks at the counters. */
const LOOK_INTERVAL = 2

const PATIENCE = 60_000

/** Milliseconds from the first packet. */
export interface Times {
  /** Until one was answered, by whatever way. */
  readonly delivered: number
  /** Until the last routers before both sides had handed one on that came directly. */
  readonly direct: number
}

/** Builds a site, joins two nodes of a kind, and lets them meet. `peers` is the folder of tailscaled; ours without. */
export async function timesToDirect(standing: Standing, peers: string | undefined): Promise<Times> {
  await using lab = new Lab()
  const { hub, stands } = await buildNatSite(lab, [standing, standing])
  const control = await startControl(hub, await startRelay(hub))
  const nodes: MeshNode[] = []
  for (const [n, stand] of stands.entries()) {
    const name = `node${n}`
    nodes.push(
      peers === undefined
        ? await joinMeshd(stand, control, name)
        : await joinTailscaled(stand, control, name, (program) => join(peers, program)),
    )
  }
  const [from, to] = [nodes[0]!, nodes[1]!]
  await eventually('the nodes to hear of each other', async () => {
    const known = await Promise.all([knows(from, to), knows(to, from)])
    return known.every(Boolean) || undefined
  })
  return await meet(from, to, stands)
}

async function knows(node: MeshNode, { address }: MeshNode): Promise<boolean> {
  const { stdout } = await node.cli('status', '--json')
  return stdout.includes(address)
}

async function meet(from: MeshNode, to: MeshNode, stands: readonly Stand[]): Promise<Times> {
  const before = await seenBy(stands)
  const began = performance.now()
  const interval = String(PING_INTERVAL / 1_000)
  const ping = from.place.namespace.start('ping', '-n', '-i', interval, '-s', String(PING_BYTES), to.address)
  const isAnswered = ping.waitFor(/bytes from/, PATIENCE).then(() => performance.now() - began)
  // Awaited below; until then its failure is nobody's.
  isAnswered.catch(() => undefined)
  return { direct: await timeToDirect(stands, before, began), delivered: await isAnswered }
}

/**
 * Looks again and again, for milliseconds count, but with pauses: the nodes are to have the processors. What was seen
 * happened by the end of the look.
 */
async function timeToDirect(
  stands: readonly Stand[],
  before: readonly number[],
  began: number,
): Promise<number> {
  for (;;) {
    const seen = await seenBy(stands)
    const after = performance.now() - began
    if (seen.every((count, n) => count > before[n]!)) return after
    if (after > PATIENCE) throw new Error(`not direct within ${PATIENCE} ms`)
    await sleep(LOOK_INTERVAL)
  }
}

/** How many datagrams of such lengths each side has been handed. */
function seenBy(stands: readonly Stand[]): Promise<number[]> {
  return Promise.all(
    stands.map(async ({ host }) => {
      const lengths = await witnessed(host.socket)
      return [...lengths.values()].reduce((sum, count) => sum + count, 0)
    }),
  )
}
