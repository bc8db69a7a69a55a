import { connect } from 'node:http2'
import { Duplex } from 'node:stream'
import { type RecordOpener, type RecordSealer, RecordTransport } from '@mesh/noise'
import { expect, test } from 'vitest'
import { NoiseDuplex } from '../../src/node/noise-duplex.ts'

/** Seals nothing. */
const glass: RecordSealer & RecordOpener = {
  seal: (plain, into = new Uint8Array(plain.length + 16)) => {
    into.set(plain)
    return into
  },
  open: (sealed) => sealed.subarray(0, -16),
}

/** A socket whose peer reads nothing: what is written is never done, and so it never finishes ending. */
class StuckSocket extends Duplex {
  override _read(): void {}
  override _write(): void {}
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

test('a server that hangs up without reading ends its HTTP/2 session, and asking it then is harmless', async () => {
  const socket = new StuckSocket()
  const transport = new RecordTransport(glass, glass)
  const duplex = new NoiseDuplex(socket, transport, new Uint8Array(0))
  const session = connect('https://unused', { createConnection: () => duplex })
  session.on('error', () => undefined)
  const stream = session.request({ ':method': 'POST', ':path': '/machine/map' })
  stream.on('error', () => undefined)
  await settled()
  socket.push(null)
  await settled()
  expect([duplex.destroyed, socket.destroyed, session.destroyed]).toEqual([true, true, true])
  stream.write('more')
  session.destroy()
  await settled()
})
