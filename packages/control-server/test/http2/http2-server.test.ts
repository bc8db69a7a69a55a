// One connection, frame by frame.

import { expect, test } from 'vitest'
import { CODE, FLAG, FRAME, frame, frameOf, PREFACE, settingsFrame, u32 } from '../../src/http2/frames.ts'
import { Http2Server } from '../../src/http2/http2-server.ts'
import type { Http2Output } from '../../src/http2/http2-server.ts'

interface Sent {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly body: Uint8Array
}

/** POST https /machine/map (RFC 7541 appendix A). */
const HEADERS = Uint8Array.of(0x83, 0x87, 0x04, 12, ...Buffer.from('/machine/map'))
const NOTHING = new Uint8Array(0)

/** A client that says what it likes. */
class Client {
  readonly server = new Http2Server()
  readonly #room: number

  constructor({ room = 4077, settings = NOTHING }: { room?: number; settings?: Uint8Array } = {}) {
    this.#room = room
    this.say(PREFACE)
    this.say(settings.length > 0 ? settings : frame(FRAME.settings, 0, 0, NOTHING))
    this.take()
  }

  say(...bytes: readonly Uint8Array[]): void {
    for (const some of bytes) this.server.handleBytes(some)
  }

  /** Begins a request, and sends its body when there is one. */
  ask(stream: number, body?: string): void {
    const ends = body === undefined ? FLAG.endStream : 0
    this.say(frame(FRAME.headers, FLAG.endHeaders | ends, stream, HEADERS))
    if (body !== undefined) this.say(frame(FRAME.data, FLAG.endStream, stream, Buffer.from(body)))
  }

  /** Takes what the server has to send. */
  take(): Sent[] {
    const sent: Sent[] = []
    while (this.server.hasWork) {
      const bytes = new Uint8Array(this.#room)
      const end = this.server.sendInto(bytes, 0, bytes.length)
      if (end === 0) break
      for (let at = 0; at < end; ) {
        const length = u32(bytes, at) >>> 8
        const [type = 0, flags = 0] = bytes.subarray(at + 3, at + 5)
        sent.push({ type, flags, stream: u32(bytes, at + 5), body: bytes.slice(at + 9, at + 9 + length) })
        at += 9 + length
      }
    }
    return sent
  }

  heard(): Http2Output[] {
    const heard: Http2Output[] = []
    for (let output = this.server.poll(); output; output = this.server.poll()) heard.push(output)
    return heard
  }

  /** The code of the GOAWAY that ends the connection. */
  goodbye(): number | undefined {
    const last = this.take().at(-1)
    return last?.type === FRAME.goAway && this.server.isBroken ? u32(last.body, 4) : undefined
  }
}

const window = (stream: number, more: number): Uint8Array => frameOf(FRAME.windowUpdate, stream, more)
const data = (sent: readonly Sent[]): Sent[] => sent.filter(({ type }) => type === FRAME.data)
const size = (sent: readonly Sent[]): number => data(sent).reduce((sum, { body }) => sum + body.length, 0)

test('a request comes out with its body, and its answer goes in', () => {
  const client = new Client()
  client.ask(1, '{}')
  expect(client.heard()).toEqual([
    { kind: 'request', stream: 1, method: 'POST', path: '/machine/map', ended: false },
    { kind: 'body', stream: 1, bytes: Uint8Array.from(Buffer.from('{}')), ended: true },
  ])
  client.server.respond(1, 200, 'a/b')
  client.server.write(1, Buffer.from('hi'))
  client.server.end(1)
  expect(client.take()).toEqual([
    {
      type: FRAME.headers,
      flags: FLAG.endHeaders,
      stream: 1,
      body: Uint8Array.of(0x88, 0x0f, 16, 3, 97, 47, 98),
    },
    { type: FRAME.data, flags: FLAG.endStream, stream: 1, body: Uint8Array.from(Buffer.from('hi')) },
  ])
  expect(client.heard()).toEqual([{ kind: 'closed', stream: 1 }])
  expect(client.server.answerOf(1)).toBe('gone')
})

test('bytes may be cut anywhere', () => {
  const server = new Http2Server()
  const ask = frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, HEADERS)
  for (const byte of [...PREFACE, ...settingsFrame([]), ...ask]) server.handleBytes(Uint8Array.of(byte))
  expect(server.poll()).toMatchObject({ kind: 'request', stream: 1 })
})

test('the first frame is SETTINGS, and theirs are acknowledged', () => {
  const client = new Http2Server()
  const first = new Uint8Array(100)
  client.sendInto(first, 0, 100)
  expect([first[3], first[4]]).toEqual([FRAME.settings, 0])
  client.handleBytes(PREFACE)
  client.handleBytes(settingsFrame([]))
  client.sendInto(first, 0, 100)
  expect([first[3], first[4]]).toEqual([FRAME.settings, FLAG.ack])
})

test('an answer stops at the stream window and goes on when it opens', () => {
  const client = new Client()
  client.ask(1)
  client.say(window(0, 1 << 20))
  client.server.respond(1, 200, 'a/b')
  client.server.write(1, new Uint8Array(100_000))
  client.server.end(1)
  expect(size(client.take())).toBe(65_535)
  expect([client.server.hasWork, client.server.queued(1)]).toEqual([false, 100_000 - 65_535])
  client.say(window(1, 30_000))
  expect(size(client.take())).toBe(30_000)
  client.say(window(1, 30_000))
  const rest = client.take()
  expect([size(rest), rest.at(-1)?.flags]).toEqual([100_000 - 95_535, FLAG.endStream])
})

test('the connection window holds all streams, but not the end of one', () => {
  const client = new Client()
  for (const stream of [1, 3, 5]) {
    client.ask(stream)
    client.server.respond(stream, 200, 'a/b')
  }
  client.server.write(1, new Uint8Array(50_000))
  client.server.write(3, new Uint8Array(50_000))
  expect(size(client.take())).toBe(65_535)
  client.server.end(5)
  expect(client.take()).toMatchObject([{ type: FRAME.data, stream: 5, flags: FLAG.endStream }])
  client.say(window(0, 1 << 20))
  expect(size(client.take())).toBe(100_000 - 65_535)
})

test('as much room as the backlog says is enough to send something', () => {
  const client = new Client()
  client.ask(1)
  const { server } = client
  const send = (): number => {
    const room = server.backlog
    return server.sendInto(new Uint8Array(room), 0, room)
  }
  server.respond(1, 200, 'a/b')
  expect([server.backlog, send()]).toEqual([16, 16])
  server.write(1, Uint8Array.of(1))
  expect([server.backlog, send()]).toEqual([10, 10])
  server.end(1)
  expect([server.backlog, send(), server.hasWork]).toEqual([9, 9, false])
})

test('streams take turns', () => {
  const client = new Client()
  for (const stream of [1, 3]) {
    client.ask(stream)
    client.server.respond(stream, 200, 'a/b')
    client.server.write(stream, new Uint8Array(10_000))
  }
  expect(data(client.take()).map(({ stream }) => stream)).toEqual([1, 3, 1, 3, 1, 3])
})

test('a window that its client makes smaller may be below zero', () => {
  const client = new Client()
  client.ask(1)
  client.server.respond(1, 200, 'a/b')
  client.server.write(1, new Uint8Array(1000))
  client.take()
  client.say(settingsFrame([[4, 500]]))
  client.server.write(1, new Uint8Array(1000))
  expect(size(client.take())).toBe(0)
  client.say(window(1, 501))
  expect(size(client.take())).toBe(1)
  client.say(settingsFrame([[4, 2000]]))
  expect(size(client.take())).toBe(999)
})

test('bytes are sent in the order of their writing, however they are cut', () => {
  const client = new Client({ room: 100 })
  client.ask(1)
  client.server.respond(1, 200, 'a/b')
  const whole = Uint8Array.from({ length: 1000 }, (_, i) => i)
  for (const [from, to] of [
    [0, 1],
    [1, 300],
    [300, 300],
    [300, 1000],
  ])
    client.server.write(1, whole.subarray(from, to))
  expect(Buffer.concat(data(client.take()).map(({ body }) => body))).toEqual(Buffer.from(whole))
})

test('who watches hears when everything is sent', () => {
  const client = new Client()
  client.ask(1)
  client.server.respond(1, 200, 'a/b')
  client.server.write(1, new Uint8Array(70_000))
  client.server.watch(1)
  client.heard()
  client.take()
  expect(client.heard()).toEqual([])
  client.say(window(0, 1 << 20), window(1, 1 << 20))
  client.take()
  expect(client.heard()).toEqual([{ kind: 'sent', stream: 1 }])
})

test('a body is given room as it comes', () => {
  const client = new Client()
  client.say(frame(FRAME.headers, FLAG.endHeaders, 1, HEADERS))
  const granted = [0, 0]
  for (let i = 0; i < 100; i += 1) {
    client.say(frame(FRAME.data, 0, 1, new Uint8Array(10_000)))
    for (const { type, stream, body } of client.take())
      if (type === FRAME.windowUpdate) granted[stream] = (granted[stream] ?? 0) + u32(body, 0)
  }
  for (const sum of granted) expect(1_000_000 - sum).toBeLessThan(65_535 / 2)
})

test('an answer that is whole before its request tells the client to keep the rest', () => {
  const client = new Client()
  client.say(frame(FRAME.headers, FLAG.endHeaders, 1, HEADERS))
  client.server.respond(1, 413, 'a/b')
  client.server.end(1)
  const sent = client.take()
  expect(sent.map(({ type }) => type)).toEqual([FRAME.headers, FRAME.data, FRAME.rstStream])
  // What was under way is dropped, and counts for the connection all the same.
  for (let i = 0; i < 4; i += 1) client.say(frame(FRAME.data, 0, 1, new Uint8Array(16_000)))
  expect(client.take()).toMatchObject([{ type: FRAME.windowUpdate, stream: 0 }])
})

test('a stream that its client gives up is over', () => {
  const client = new Client()
  client.ask(1)
  client.server.respond(1, 200, 'a/b')
  client.server.write(1, new Uint8Array(100))
  client.say(frameOf(FRAME.rstStream, 1, CODE.cancel))
  expect(client.heard().at(-1)).toEqual({ kind: 'closed', stream: 1 })
  expect(data(client.take())).toEqual([])
})

test('headers may come in pieces, with padding and a priority', () => {
  const client = new Client()
  const padded = Uint8Array.of(3, 0, 0, 0, 0, 16, ...HEADERS.subarray(0, 2), 0, 0, 0)
  const flags = FLAG.padded | FLAG.priority | FLAG.endStream
  client.say(frame(FRAME.headers, flags, 1, padded))
  client.say(frame(FRAME.continuation, FLAG.endHeaders, 1, HEADERS.subarray(2)))
  expect(client.heard()).toMatchObject([{ kind: 'request', path: '/machine/map', ended: true }])
})

test('trailers end a body', () => {
  const client = new Client()
  client.say(frame(FRAME.headers, FLAG.endHeaders, 1, HEADERS))
  client.say(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, Uint8Array.of(0x0f, 0, 0)))
  expect(client.heard().at(-1)).toMatchObject({ kind: 'body', ended: true })
})

test('trailers that are none, or come too late, end their stream', () => {
  const client = new Client()
  client.say(frame(FRAME.headers, FLAG.endHeaders, 1, HEADERS))
  client.say(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, HEADERS))
  client.ask(3)
  client.say(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 3, Uint8Array.of(0x0f, 0, 0)))
  expect(client.take().map(({ stream, body }) => [stream, u32(body, 0)])).toEqual([
    [1, CODE.protocol],
    [3, CODE.streamClosed],
  ])
})

/** The headers of a request that says how long its body is (RFC 7541 appendix A: 28). */
const sized = (...lengths: readonly string[]): Uint8Array =>
  Uint8Array.of(...HEADERS, ...lengths.flatMap((length) => [0x0f, 13, length.length, ...Buffer.from(length)]))

test('a body that is as long as its request says, in however many pieces, is taken', () => {
  const client = new Client()
  const [piece, end] = [Buffer.from('1234'), frame(FRAME.data, FLAG.endStream, 3, Buffer.from('56'))]
  client.say(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, sized('0')))
  client.say(frame(FRAME.headers, FLAG.endHeaders, 3, sized('6')))
  client.say(frame(FRAME.data, FLAG.padded, 3, Uint8Array.of(2, ...piece, 0, 0)), end)
  client.say(frame(FRAME.headers, FLAG.endHeaders, 5, sized('4')), frame(FRAME.data, 0, 5, piece))
  client.say(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 5, NOTHING))
  const ended = client.heard().filter((output) => 'ended' in output && output.ended)
  expect(ended.map(({ stream }) => stream)).toEqual([1, 3, 5])
})

test.each<[string, Uint8Array, Uint8Array[]]>([
  ['longer than its request says', sized('3'), [frame(FRAME.data, FLAG.endStream, 1, Buffer.from('1234'))]],
  ['longer than that before its end', sized('3'), [frame(FRAME.data, 0, 1, Buffer.from('1234'))]],
  ['shorter than its request says', sized('5'), [frame(FRAME.data, FLAG.endStream, 1, Buffer.from('1234'))]],
  [
    'shorter than that, and ends by trailers',
    sized('5'),
    [
      frame(FRAME.data, 0, 1, Buffer.from('1234')),
      frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, NOTHING),
    ],
  ],
  ['of two lengths', sized('4', '5'), []],
  ['of no length that is a number', sized('-4'), []],
])('threat 26: a body %s is malformed, and nobody hears its end', (_, head, frames) => {
  const client = new Client()
  client.say(frame(FRAME.headers, FLAG.endHeaders, 1, head), ...frames)
  expect(client.take()).toMatchObject([{ type: FRAME.rstStream, stream: 1, body: Uint8Array.of(0, 0, 0, 1) }])
  expect(client.heard().filter((output) => 'ended' in output && output.ended)).toEqual([])
  client.ask(3)
  expect(client.heard()).toMatchObject([{ kind: 'request', stream: 3 }])
})

test('threat 26: a request that says that it has a body, and has none, is malformed', () => {
  const client = new Client()
  client.say(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, sized('4')))
  expect(client.take()).toMatchObject([{ type: FRAME.rstStream, stream: 1, body: Uint8Array.of(0, 0, 0, 1) }])
  expect(client.heard()).toEqual([])
})

test('threat 26: who goes on and on with the body of a request that is over is sent away', () => {
  const client = new Client()
  client.ask(1)
  client.server.reset(1, CODE.cancel)
  let bytes = 0
  for (; !client.server.isBroken && bytes < 1 << 30; bytes += 16_384) {
    client.say(frame(FRAME.data, 0, 1, new Uint8Array(16_384)))
    if (client.server.backlog > 1000 && !client.server.isBroken) client.take()
  }
  expect(bytes).toBeLessThan(40 << 20)
  expect(client.goodbye()).toBe(CODE.calm)
})

test('a client without a table is told once that none is used', () => {
  const client = new Client({ settings: settingsFrame([[1, 0]]) })
  for (const stream of [1, 3]) {
    client.ask(stream)
    client.server.respond(stream, 200, 'a/b')
  }
  expect(client.take().map(({ body }) => body[0])).toEqual([0x20, 0x88])
})

test('a malformed request is refused, the connection goes on', () => {
  const client = new Client()
  const bad = [
    Uint8Array.of(0x83, 0x87),
    Uint8Array.of(...HEADERS, 0x83),
    Uint8Array.of(0x00, 1, 0x41, 0, ...HEADERS),
    Uint8Array.of(0x00, 1, 0x61, 0, ...HEADERS),
    Uint8Array.of(...HEADERS, 0x00, 7, ...Buffer.from('upgrade'), 0),
    Uint8Array.of(...HEADERS, 0x00, 2, ...Buffer.from('te'), 4, ...Buffer.from('gzip')),
    Uint8Array.of(...HEADERS, 0x00, 0, 0),
    Uint8Array.of(0x83, 0x87, 0x04, 0),
  ]
  for (const [i, block] of bad.entries())
    client.say(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 2 * i + 1, block))
  expect(client.take().map(({ type, body }) => [type, u32(body, 0)])).toEqual(
    bad.map(() => [FRAME.rstStream, CODE.protocol]),
  )
  client.ask(99)
  expect(client.heard()).toMatchObject([{ kind: 'request', stream: 99 }])
})

test('threat 26: of too many requests at once those beyond are refused, and a stranger may have few', () => {
  const client = new Client()
  for (let i = 0; i < 20; i += 1) client.ask(2 * i + 1)
  expect(client.heard()).toHaveLength(16)
  const refused = [33, 35, 37, 39].map((stream) => ({ type: FRAME.rstStream, stream }))
  expect(client.take()).toMatchObject(refused)
  client.server.trust()
  client.server.trust()
  expect(client.take()).toMatchObject([
    { type: FRAME.settings, flags: 0, body: Uint8Array.of(0, 3, 0, 0, 0, 250) },
  ])
  for (let i = 20; i < 300; i += 1) client.ask(2 * i + 1)
  expect(client.heard()).toHaveLength(250 - 16)
  expect(client.take()).toHaveLength(300 - 20 - 250 + 16)
})

const big = frame(FRAME.headers, 0, 1, new Uint8Array(16_000))

test.each<[string, number, Uint8Array[]]>([
  ['a frame that is too large', CODE.frameSize, [Uint8Array.of(0, 64, 1, 0, 0, 0, 0, 0, 1)]],
  ['data of no stream', CODE.protocol, [frame(FRAME.data, 0, 0, NOTHING)]],
  ['data of a stream that never began', CODE.protocol, [frame(FRAME.data, 0, 7, NOTHING)]],
  ['a stream of the server', CODE.protocol, [frame(FRAME.headers, FLAG.endHeaders, 2, HEADERS)]],
  [
    'headers nobody can read',
    CODE.compression,
    [frame(FRAME.headers, FLAG.endHeaders, 1, Uint8Array.of(0x80))],
  ],
  ['more padding than frame', CODE.protocol, [frame(FRAME.headers, FLAG.padded, 1, Uint8Array.of(9, 0))]],
  ['another frame between headers', CODE.protocol, [big, frame(FRAME.ping, 0, 0, new Uint8Array(8))]],
  ['the rest of no headers', CODE.protocol, [frame(FRAME.continuation, 4, 1, HEADERS)]],
  ['headers without end', CODE.calm, [big, frame(FRAME.continuation, 0, 1, new Uint8Array(16_000))]],
  [
    'headers in small pieces',
    CODE.calm,
    [big, ...Array.from({ length: 9 }, () => frame(FRAME.continuation, 0, 1, Uint8Array.of(0)))],
  ],
  ['a priority of no stream', CODE.protocol, [frame(FRAME.priority, 0, 0, new Uint8Array(5))]],
  ['half a priority', CODE.frameSize, [frame(FRAME.priority, 0, 1, new Uint8Array(4))]],
  ['a goodbye to a stream', CODE.protocol, [frame(FRAME.goAway, 0, 1, new Uint8Array(8))]],
  ['a short ping', CODE.frameSize, [frame(FRAME.ping, 0, 0, new Uint8Array(7))]],
  ['a push', CODE.protocol, [frame(FRAME.pushPromise, 0, 1, NOTHING)]],
  ['half a setting', CODE.frameSize, [frame(FRAME.settings, 0, 0, new Uint8Array(5))]],
  ['settings of a stream', CODE.protocol, [frame(FRAME.settings, 0, 1, NOTHING)]],
  ['an acknowledgement that says more', CODE.frameSize, [frame(FRAME.settings, 1, 0, new Uint8Array(6))]],
  ['a window beyond what there can be', CODE.flowControl, [window(0, 0x7fffffff)]],
  ['no room at all', CODE.protocol, [window(0, 0)]],
  ['a first window beyond it', CODE.flowControl, [settingsFrame([[4, 0x80000000]])]],
])('threat 26: %s ends the connection', (_, code, frames) => {
  const client = new Client()
  client.say(...frames)
  expect(client.goodbye()).toBe(code)
  client.ask(9)
  expect(client.heard().some(({ kind }) => kind === 'request')).toBe(false)
})

test('threat 26: a client that begins without settings is sent away', () => {
  const server = new Http2Server()
  server.handleBytes(PREFACE)
  server.handleBytes(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, HEADERS))
  expect([server.isBroken, server.poll()]).toEqual([true, undefined])
})

test('threat 26: settings that change thousands of times in one frame move the windows once', () => {
  const client = new Client()
  client.ask(1)
  client.server.respond(1, 200, 'a/b')
  client.server.write(1, new Uint8Array(3000))
  const many = Array.from({ length: 2000 }, (_, i) => [4, i + 1] as const)
  client.say(settingsFrame(many))
  expect(size(client.take())).toBe(2000)
})

test('threat 26: bytes that are not HTTP/2 end the connection', () => {
  const server = new Http2Server()
  server.handleBytes(Buffer.from('GET / HTTP/1.1\r\n'))
  expect(server.isBroken).toBe(true)
})

test.each([
  ['pings', () => frame(FRAME.ping, 0, 0, new Uint8Array(8))],
  ['settings', () => settingsFrame([])],
  [
    'requests given up',
    (i: number) => [
      frame(FRAME.headers, FLAG.endHeaders, 2 * i + 1, HEADERS),
      frameOf(FRAME.rstStream, 2 * i + 1, 8),
    ],
  ],
  [
    'malformed requests',
    (i: number) => frame(FRAME.headers, FLAG.endHeaders, 2 * i + 1, Uint8Array.of(0x83)),
  ],
])('threat 26: a flood of %s ends the connection', (_, make) => {
  const client = new Client()
  for (let i = 0; i < 2000; i += 1) client.say(...[make(i)].flat())
  expect(client.goodbye()).toBe(CODE.calm)
})

test.each([
  ['no room', (id: number) => window(id, 0)],
  ['too much room', (id: number) => window(id, 0x7fffffff)],
  ['data after the end', (id: number) => frame(FRAME.data, 0, id, NOTHING)],
  ['settings between', () => settingsFrame([])],
])('threat 26: who reads, and has requests turned away by %s, is sent away too', (_, provoke) => {
  const client = new Client()
  let codes: number[] = []
  for (let i = 0; i < 2000 && !client.server.isBroken; i += 1) {
    const id = 2 * i + 1
    client.ask(id)
    client.say(provoke(id), frameOf(FRAME.rstStream, id, CODE.cancel))
    client.heard()
    codes = client.take().map(({ type }) => type)
  }
  expect([client.server.isBroken, codes.at(-1)]).toEqual([true, FRAME.goAway])
})

test('requests that are waited for make up for those given up', () => {
  const client = new Client()
  for (let i = 0; i < 5000; i += 1) {
    client.ask(4 * i + 1)
    client.say(frameOf(FRAME.rstStream, 4 * i + 1, CODE.cancel))
    client.ask(4 * i + 3)
    client.server.respond(4 * i + 3, 200, 'a/b')
    client.server.end(4 * i + 3)
    client.take()
    client.heard()
  }
  expect(client.server.isBroken).toBe(false)
})

test('the end of the connection is the end of every stream', () => {
  const client = new Client()
  client.ask(1)
  client.ask(3)
  client.heard()
  client.server.handleGone()
  expect(client.heard()).toEqual([
    { kind: 'closed', stream: 1 },
    { kind: 'closed', stream: 3 },
  ])
  expect(client.server.hasWork).toBe(false)
})

test('a goodbye ends it without blame', () => {
  const client = new Client()
  client.server.goAway()
  expect(client.goodbye()).toBe(CODE.none)
})
