import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { MemoryStore, relayMap } from '@mesh/control-server'
import { listenControl } from '@mesh/control-server/node'

const control = await listenControl({
  host: '127.0.0.1',
  port: 0,
  baseDomain: 'mesh.internal',
  // A server that is to remember takes `await openSqliteStore(path)` and `loadControlKey(path)` here.
  store: new MemoryStore(),
  privateKey: generatePrivateKey(systemRandom),
  derpMap: relayMap([{ host: 'relay.example', port: 443, stunPort: 3478 }]),
})

const { name } = await control.admin({ verb: 'users create', name: 'ann' })
const { key } = await control.admin({ verb: 'preauthkeys create', user: name, reusable: true })
console.log(key.split('-').length) // 4

// Any client can now join: tailscale up --login-server=URL --auth-key=KEY
const response = await fetch(`${control.url}/key?v=138`)
console.log(response.status) // 200
console.log((await control.admin({ verb: 'nodes list' })).length) // 0

await control.close()
