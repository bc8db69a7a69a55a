// A client whose machine vanished, cable and all: the relay finds out, though the client never said so.
import { connectOurs, exchange, startOurs } from '../interop/relays.ts'
import { buildSite } from '../interop/site.ts'
import { netnsTest } from './support.ts'

const test = netnsTest('nft')

test('S11: a machine that vanished is let go of after --tcp-user-timeout, and who heard from it is told', async ({
  lab,
}) => {
  const { hub, nodes } = await buildSite(lab, ['a', 'b'])
  const [a, b] = [nodes[0]!, nodes[1]!]
  const { region } = await startOurs(hub, undefined, hub.address, ['--tcp-user-timeout=2s', '--stun=false'])
  const alice = await connectOurs(a, region)
  const bob = await connectOurs(b, region)
  await exchange(alice, bob)
  await a.namespace.run('nft', 'add table inet guard')
  await a.namespace.run(
    'nft',
    'add chain inet guard in { type filter hook input priority 0 ; policy drop ; }',
  )
  // Small enough for the system to take it: nothing is stuck in the relay itself.
  bob.program.send(`send ${alice.key} hello`)
  await bob.program.waitFor(new RegExp(`^gone ${alice.key} 0$`, 'm'), 15_000)
})
