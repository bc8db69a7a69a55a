// Genuine traffic beside a flood: sends a stream whose every byte follows from its place to an echo server and compares what
// comes back, for as long as it is told to. `stream-check HOST PORT SECONDS` says `checked N, reconnects M` at the end, and
// ends with `WRONG` at the first byte that is another.
import { connect } from 'node:net'
import { pattern } from './pattern.ts'

const [, , host = '127.0.0.1', port = '7', seconds = '5'] = process.argv
const CHUNK = 65_536
/** A connection that moves nothing for so long is given up. */
const PATIENCE = 20_000
const end = Date.now() + Number(seconds) * 1_000
let checked = 0
let reconnects = -1

/** One connection, until it fails or time is over. */
async function converse(): Promise<void> {
  reconnects += 1
  const socket = connect(Number(port), host)
  let written = 0
  let read = 0
  const fill = (): void => {
    // Half a megabyte under way at most, so that the end comes soon after the time is over.
    while (written - read < 8 * CHUNK && !socket.writableNeedDrain) {
      socket.write(pattern(written, CHUNK))
      written += CHUNK
    }
  }
  await new Promise<void>((resolve) => {
    const over = setTimeout(resolve, Math.max(0, end - Date.now()))
    socket.setTimeout(PATIENCE, () => socket.destroy())
    socket.on('connect', fill)
    socket.on('drain', fill)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(over)
      resolve()
    })
    socket.on('data', (bytes: Buffer) => {
      if (!pattern(read, bytes.length).equals(bytes)) {
        console.log(`WRONG near ${read}`)
        process.exit(1)
      }
      read += bytes.length
      checked += bytes.length
      fill()
    })
  })
  socket.destroy()
}

while (Date.now() < end) await converse()
console.log(`checked ${checked}, reconnects ${reconnects}`)
process.exit(0)
