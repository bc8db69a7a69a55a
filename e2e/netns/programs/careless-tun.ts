// Opens a TUN, waits until its reader sleeps, and exits without closing it.
import { openTun } from '@mesh/tun/node'

const tun = await openTun({ name: 'careless0' })
tun.onPackets(() => undefined)
console.log('open')
setTimeout(() => process.exit(0), 300)
