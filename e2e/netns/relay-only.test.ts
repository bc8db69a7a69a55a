// Two daemons on machines that let no UDP out: what they have to say to each other goes through the relay, over TLS, until
// UDP gets through.
import { expect } from 'vitest'
import { joinMeshd, kernelPing, type MeshNode, pathIs } from '../interop/nodes.ts'
import { startOurs } from '../interop/relays.ts'
import { startControl } from '../interop/servers.ts'
import { allowUdp, blockUdp, buildSite } from '../interop/site.ts'
import { netnsTest } from './support.ts'

const test = netnsTest('ping', 'nft')

test('S1, F8, control 44, 45: two daemons with UDP blocked meet at the relay, know each other by name, and go direct once UDP gets through', async ({
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
  expect(await addressOf(one, 'two.mesh.internal')).toBe(two.address)
  expect(await addressOf(two, 'one.mesh.internal')).toBe(one.address)
  expect(await addressOf(one, 'nobody.mesh.internal')).toBe('ENOTFOUND')
  expect(await addressOverTcp(one, 'two.mesh.internal')).toBe(two.address)
  await Promise.all(nodes.map((node) => allowUdp(node)))
  await pathIs(one, two, /via 10\.91\./)
  await kernelPing(two, one)
})

/** Asks the resolver of the mesh, through the kernel. */
async function addressOf({ place }: MeshNode, name: string): Promise<string> {
  const script = `
    const resolver = new (require('node:dns').promises.Resolver)()
    resolver.setServers(['100.100.100.100'])
    resolver.resolve4(process.argv[1]).then(
      (addresses) => console.log(addresses.join()),
      (error) => console.log(error.code),
    )`
  const { stdout } = await place.namespace.run(process.execPath, '-e', script, name)
  return stdout.trim()
}

/** Asks it over TCP, which no resolver of Node does by itself. */
async function addressOverTcp({ place }: MeshNode, name: string): Promise<string> {
  const script = `
    const labels = process.argv[1].split('.').flatMap((label) => [label.length, ...Buffer.from(label)])
    const query = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1]
    const socket = require('node:net').connect(53, '100.100.100.100')
    socket.on('error', (error) => console.log(error.code))
    socket.on('data', (answer) => socket.end(() => console.log(answer.subarray(-4).join('.'))))
    socket.write(Buffer.from([0, query.length, ...query]))`
  const { stdout } = await place.namespace.run(process.execPath, '-e', script, name)
  return stdout.trim()
}
