import { generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { openMagicSock } from '@mesh/magicsock/node'
import { systemRandom } from '@mesh/sansio/node'

const heard = Promise.withResolvers<string>()
const aliceKey = publicKeyOf(generatePrivateKey(systemRandom))
const bobKey = publicKeyOf(generatePrivateKey(systemRandom))

const alice = await openMagicSock({ nodeKey: aliceKey, allowLoopback: true, onPacket: () => {} })
const bob = await openMagicSock({
  nodeKey: bobKey,
  allowLoopback: true,
  // WireGuard would open this; here it is taken as it is.
  onPacket: (bytes, peer) => heard.resolve(`peer ${peer} says ${new TextDecoder().decode(bytes)}`),
})

// All that one needs to know of the other: its public keys and where it may be. Control's part, elsewhere.
const endpointsOf = (sock: typeof alice) => sock.endpoints.map((local) => local.endpoint)
alice.setPeers([
  { id: 2, nodeKey: bobKey, discoKey: bob.discoKey, endpoints: endpointsOf(bob), homeRelay: 0 },
])
bob.setPeers([
  { id: 1, nodeKey: aliceKey, discoKey: alice.discoKey, endpoints: endpointsOf(alice), homeRelay: 0 },
])

console.log((await alice.ping(2)).ok)
alice.send(2, new TextEncoder().encode('hello'))
console.log(await heard.promise)
console.log(bob.status(1)?.traffic.receivedDirect)

await Promise.all([alice.close(), bob.close()])
