// A control server as a process of its own, so that it can be killed: `serve-child.ts FOLDER PORT`.

import { join } from 'node:path'
import { startControl } from '../../src/contract/start-control.ts'
import { loadControlKey, openSqliteStore } from '../../src/node/index.ts'

const [folder = '.', port = '0'] = process.argv.slice(2)
const control = await startControl({
  port: Number(port),
  store: await openSqliteStore(join(folder, 'control.sqlite')),
  privateKey: loadControlKey(join(folder, 'private.key')),
})
const users = await control.admin({ verb: 'users list' })
if (users.length === 0) await control.admin({ verb: 'users create', name: 'ann' })
const made = Array.from({ length: 20 }, () => control.admin({ verb: 'preauthkeys create', user: 'ann' }))
const keys = (await Promise.all(made)).map(({ key }) => key)
process.stdout.write(`${JSON.stringify({ url: control.url, keys })}\n`)
