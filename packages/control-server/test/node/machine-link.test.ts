import { Duplex } from 'node:stream'
import { type RecordOpener, type RecordSealer, RecordTransport } from '@mesh/noise'
import { expect, test } from 'vitest'
import { FLAG, FRAME, frame, PREFACE, settingsFrame } from '../../src/http2/frames.ts'
import type { Http2Output } from '../../src/http2/http2-server.ts'
import { MachineLink } from '../../src/node/machine-link.ts'

/** Seals nothing, so that a test reads what it sees. */
const glass: RecordSealer & RecordOpener = {
  seal: (plain, into = new Uint8Array(plain.length + 16)) => {
    into.set(plain)
    return into
  },
  open: (sealed) => sealed.subarray(0, -16),
}

/** A socket whose peer reads nothing until it is told to. */
class StuckSocket extends Duplex {
  readonly written: Buffer[] = []
  #done: (() => void) | undefined
  isStuck = true

  constructor() {
    super({ writableHighWaterMark: 1000 })
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk)
    if (this.isStuck) this.#done = done
    else done()
  }

  read1(): void {
    this.#done?.()
  }
}

const record = (...plain: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat([...plain, new Uint8Array(16)])
  return Buffer.concat([Uint8Array.of(4, body.length >> 8, body.length), body])
}
const HEADERS = Uint8Array.of(0x83, 0x87, 0x04, 1, 47)
const ask = (stream: number): Uint8Array =>
  frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, HEADERS)

function open(head: Uint8Array = new Uint8Array(0)): {
  socket: StuckSocket
  link: MachineLink
  heard: Http2Output[]
  ends: () => number
} {
  const socket = new StuckSocket()
  const link = new MachineLink({ socket, transport: new RecordTransport(glass, glass), head })
  const heard: Http2Output[] = []
  let ends = 0
  link.open(
    (output) => heard.push(output),
    () => (ends += 1),
  )
  return { socket, link, heard, ends: () => ends }
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

test('threat 26: a peer that hangs up without reading ends everything, and writing to it then is harmless', async () => {
  const { socket, link, heard, ends } = open(record(PREFACE, settingsFrame([]), ask(1)))
  await settled()
  socket.push(null)
  await settled()
  expect([socket.destroyed, ends(), heard.at(-1)]).toEqual([true, 1, { kind: 'closed', stream: 1 }])
  link.http2.respond(1, 200, 'a/b')
  link.http2.write(1, new Uint8Array(100))
  link.flush()
  link.end()
  link.destroy()
  await settled()
  expect(ends()).toBe(1)
})

test('control 4: a record that does not open ends the connection', async () => {
  const { socket, ends } = open()
  socket.push(Uint8Array.of(4, 0x0f, 0xfe))
  await settled()
  expect([socket.destroyed, ends()]).toEqual([true, 1])
})

test('control 7: bytes that came with the handshake are read first', async () => {
  const { socket, heard } = open(record(PREFACE, settingsFrame([]), ask(1)))
  socket.push(record(ask(3)))
  await settled()
  expect(heard.map(({ stream }) => stream)).toEqual([1, 3])
})

test('control 12: what a peer does not read is not sealed, and follows when it reads', async () => {
  const { socket, link } = open(record(PREFACE, settingsFrame([]), ask(1)))
  await settled()
  link.http2.respond(1, 200, 'a/b')
  link.flush()
  for (let i = 0; i < 5; i += 1) link.http2.write(1, new Uint8Array(10_000).fill(i))
  link.flush()
  const before = link.http2.queued(1)
  expect(before).toBeGreaterThan(0)
  socket.isStuck = false
  socket.read1()
  await settled()
  expect([link.http2.queued(1), Buffer.concat(socket.written).length]).toEqual([0, expect.any(Number)])
  expect(Buffer.concat(socket.written).length).toBeGreaterThan(50_000)
})

test('a goodbye is the last word, and who does not hang up then is cut off', { timeout: 5000 }, async () => {
  const { socket, link } = open(record(PREFACE, settingsFrame([])))
  socket.isStuck = false
  socket.read1()
  link.end()
  await settled()
  expect(Buffer.concat(socket.written).at(3 + 9 + 12 + 3)).toBeDefined()
  await new Promise((resolve) => setTimeout(resolve, 1200))
  expect(socket.destroyed).toBe(true)
})

test('threat 26: who takes not even the goodbye is cut off', { timeout: 5000 }, async () => {
  const { socket, link, ends } = open(record(PREFACE, settingsFrame([]), ask(1)))
  await settled()
  link.http2.respond(1, 200, 'a/b')
  link.http2.write(1, new Uint8Array(50_000))
  link.flush()
  link.end()
  await new Promise((resolve) => setTimeout(resolve, 1200))
  expect([socket.destroyed, ends()]).toEqual([true, 1])
})
