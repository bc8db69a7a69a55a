import { formatIntroduction, parseIntroduction } from '@mesh/magicsock'
import { openMagicSock } from '@mesh/magicsock/node'

const alice = await openMagicSock({ allowLoopback: true })
const bob = await openMagicSock({ allowLoopback: true })

// All that one must know of the other is one line: public keys, and where it may be. Pass it on as you like.
const fromAlice = formatIntroduction(alice.introduction)
const fromBob = formatIntroduction(bob.introduction)

alice.setPeers([{ id: 2, ...parseIntroduction(fromBob)! }])
bob.setPeers([{ id: 1, ...parseIntroduction(fromAlice)! }])

const heard = Promise.withResolvers<string>()
bob.onDatagram((bytes, peer) => heard.resolve(`peer ${peer} says ${new TextDecoder().decode(bytes)}`))
alice.onPath((peer, path) => console.log(`peer ${peer} is reached: ${path.kind}`))

console.log((await alice.ping(2)).ok)
alice.send(2, new TextEncoder().encode('hello'))
console.log(await heard.promise)

await Promise.all([alice.close(), bob.close()])
