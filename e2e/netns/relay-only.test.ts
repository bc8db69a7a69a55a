// Two daemons on machines that let no UDP out: what they have to say to each other goes through the relay, over TLS.
import { joinMeshd, kernelPing, pathIs } from '../interop/nodes.ts'
import { startOurs } from '../interop/relays.ts'
import { startControl } from '../interop/servers.ts'
import { blockUdp, buildSite } from '../interop/site.ts'
import { netnsTest } from './support.ts'

const test = netnsTest('ping', 'nft')

test('S1: two daemons with UDP blocked meet at the relay, and the kernel’s ping is answered both ways', async ({
  lab,
}) => {
  const { hub, nodes } = await buildSite(lab, ['a', 'b'])
  await Promise.all(nodes.map((node) => blockUdp(node)))
  const { pin } = await startOurs(hub)
  const control = await startControl(hub, `https://${hub.address}:3340,cert=${pin}`)
  const [one, two] = await Promise.all([
    joinMeshd(nodes[0]!, control, 'one'),
    joinMeshd(nodes[1]!, control, 'two'),
  ])
  await kernelPing(one, two)
  await kernelPing(two, one)
  await pathIs(one, two, /via DERP/)
})
