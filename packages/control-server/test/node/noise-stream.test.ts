import { performServerHandshake } from 'node:http2'
import { Duplex } from 'node:stream'
import { type RecordOpener, type RecordSealer, RecordTransport } from '@mesh/noise'
import { expect, test } from 'vitest'
import { NoiseStream } from '../../src/node/noise-stream.ts'

/** Seals nothing, so that a test reads what it sees. */
const glass: RecordSealer & RecordOpener = {
  seal: (plain) => Buffer.concat([plain, new Uint8Array(16)]),
  open: (sealed) => sealed.subarray(0, -16),
}

/** A socket whose peer reads nothing: what is written is never done, and so it never finishes ending. */
class StuckSocket extends Duplex {
  override _read(): void {}
  override _write(): void {}
}

function open(): { socket: StuckSocket; stream: NoiseStream } {
  const socket = new StuckSocket()
  const transport = new RecordTransport(glass, glass)
  return { socket, stream: new NoiseStream(socket, transport, new Uint8Array(0)) }
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

test('threat 26: a peer that hangs up without reading ends its HTTP/2 session, and writing to it then is harmless', async () => {
  const { socket, stream } = open()
  const session = performServerHandshake(stream)
  session.on('error', () => undefined)
  await settled()
  socket.push(null)
  await settled()
  expect([stream.destroyed, socket.destroyed, session.destroyed]).toEqual([true, true, true])
  session.destroy()
  await settled()
})

test('control 4: a record that does not open ends the stream and its socket', async () => {
  const { socket, stream } = open()
  stream.on('data', () => undefined)
  socket.push(Uint8Array.of(4, 0x0f, 0xfe))
  await settled()
  expect([stream.destroyed, socket.destroyed]).toEqual([true, true])
})

test('control 7: bytes that came with the handshake are read first', async () => {
  const socket = new StuckSocket()
  const record = (byte: number): Buffer => Buffer.concat([Uint8Array.of(4, 0, 17, byte), new Uint8Array(16)])
  const stream = new NoiseStream(socket, new RecordTransport(glass, glass), record(1))
  const seen: number[] = []
  stream.on('data', (chunk: Buffer) => seen.push(...chunk))
  socket.push(record(2))
  await settled()
  expect(seen).toEqual([1, 2])
})
