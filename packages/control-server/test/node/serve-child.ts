// A control server as a process of its own, so that it can be killed: `serve-child.ts FOLDER PORT`.

import { join } from 'node:path'
import { relayMap } from '../../src/index.ts'
import { listenControl, loadControlKey, SqliteStore } from '../../src/node/index.ts'

const [folder = '.', port = '0'] = process.argv.slice(2)
const control = await listenControl({
  host: '127.0.0.1',
  port: Number(port),
  store: new SqliteStore(join(folder, 'control.sqlite')),
  privateKey: loadControlKey(join(folder, 'private.key')),
  derpMap: relayMap([]),
  baseDomain: 'mesh.internal',
})
if (control.admin({ verb: 'users list' }).length === 0) control.admin({ verb: 'users create', name: 'ann' })
const keys = Array.from({ length: 20 }, () => control.admin({ verb: 'preauthkeys create', user: 'ann' }).key)
process.stdout.write(`${JSON.stringify({ url: control.url, keys })}\n`)
