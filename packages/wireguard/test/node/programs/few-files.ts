// Uses up its file descriptors but for the two that the sockets of a data plane take, then asks for a data plane, and says
// what came of it and how many descriptors are free again.
import { closeSync, openSync } from 'node:fs'
import { LinuxDataPlane } from '../../../src/node/index.ts'

const open: number[] = []
const fill = (): void => {
  for (;;) {
    try {
      open.push(openSync('/dev/null', 'r'))
    } catch {
      return
    }
  }
}
fill()
for (let i = 0; i < 2; i += 1) closeSync(open.pop() ?? -1)
let said = 'it was made'
try {
  void new LinuxDataPlane({ tun: { fd: -1, mtu: 1280 } })
} catch (error) {
  said = error instanceof Error ? error.message : String(error)
}
setImmediate(() => {
  const before = open.length
  fill()
  console.log(JSON.stringify({ said, free: open.length - before }))
})
