// One address opens sockets at the control server without end: its nodes stay, its oldest sockets make room, and others get in.
import { expect } from 'vitest'
import { startControl } from '../interop/servers.ts'
import { buildSite } from '../interop/site.ts'
import { eventually } from './lab.ts'
import { netnsTest } from './support.ts'

const test = netnsTest()

const CROWD = new URL('../interop/programs/crowd.ts', import.meta.url)
const SOCKETS = 1500
/** What a place may have open that is nothing yet. */
const ALLOWED = 1024
/** Opens so many sockets that never finish a request, and says how many of them were closed. */
const FLOOD = `
  const { connect } = require('node:net')
  const [host, count] = process.argv.slice(1)
  let closed = 0
  const open = (left) => {
    if (left === 0) return setInterval(() => console.log('closed ' + closed + '.'), 100)
    const socket = connect(8080, host, () => {
      socket.write('GET / HTTP/1.1\\r\\nX-Slow: ')
      open(left - 1)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => (closed += 1))
    socket.resume()
  }
  open(Number(count))`

test('threat 26: one address with sockets without end keeps nobody out, and loses none of its nodes', async ({
  lab,
}) => {
  const { hub, nodes } = await buildSite(lab, ['a', 'b'])
  const [a, b] = nodes
  const control = await startControl(hub, 'embedded')
  const crowd = a!.namespace.startNode(CROWD, control.url, control.authKey, '3')
  await crowd.waitFor(/all know all/, 30_000)
  const flood = a!.namespace.start(process.execPath, '-e', FLOOD, hub.address, String(SOCKETS))
  await flood.waitFor(new RegExp(`closed ${SOCKETS - ALLOWED}\\.`), 9000)
  const ask = `fetch(process.argv[1] + '/health').then((response) => console.log(response.status))`
  await eventually('an answer', async () => {
    const { stdout } = await b!.namespace.run(process.execPath, '-e', ask, control.url)
    return stdout.trim() === '200' || undefined
  })
  // These clients answer no questions, but they are there to be asked.
  const asked = [1, 2, 3].map((id) => control.admin('nodes', 'ping', String(id)).catch(String))
  for (const outcome of await Promise.all(asked)) expect(outcome).toMatch(/did not answer in time/)
})
