import { connectControl } from '@mesh/control-client/node'
import { formatDiscoKey, generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'

const control = connectControl({
  serverUrl: process.env['MESH_CONTROL'] ?? 'https://control.example.org',
  // Both keys are to be kept: the machine's for good, the node's until it is renewed (`keepNodeKey`, event `registered`).
  machineKey: generatePrivateKey(systemRandom),
  nodeKey: generatePrivateKey(systemRandom),
  discoKey: formatDiscoKey(publicKeyOf(generatePrivateKey(systemRandom))),
  hostinfo: { OS: 'linux', Hostname: 'box1' },
  authKey: process.env['MESH_AUTH_KEY'],
  onEvent(event) {
    if (event.event === 'auth-url') console.log(`visit ${event.url}`)
    if (event.event === 'trouble') console.log(event.error.message)
    if (event.event !== 'map') return
    console.log(event.map.peers.map((peer) => `${peer.name} ${peer.online ? 'online' : 'offline'}`))
    void control.close()
  },
})

// Whatever is known about this node reaches control at once, or as soon as the login is done.
control.report({ endpoints: [{ endpoint: '192.0.2.1:41641' }], netInfo: { PreferredDERP: 900 } })
