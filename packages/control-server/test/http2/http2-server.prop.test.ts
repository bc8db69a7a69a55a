import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FLAG, FRAME, frame, frameOf, PREFACE, settingsFrame, u32 } from '../../src/http2/frames.ts'
import { Http2Server } from '../../src/http2/http2-server.ts'

const HEADERS = Uint8Array.of(0x83, 0x87, 0x04, 1, 47)
const STREAMS = [1, 3, 5]

const frames = fc.record({
  type: fc.integer({ min: 0, max: 10 }),
  flags: fc.integer({ min: 0, max: 255 }),
  stream: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.nat(0x7fffffff)),
  body: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(HEADERS)),
})

test('threat 26: whatever frames come, however damaged, it neither throws nor keeps more than a little', () => {
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 60 }), fc.uint8Array({ maxLength: 50 }), (list, rest) => {
      const server = new Http2Server()
      for (const bytes of [PREFACE, settingsFrame([])]) server.handleBytes(bytes)
      for (const { type, flags, stream, body } of list) {
        server.handleBytes(frame(type, flags, stream, body))
        for (let output = server.poll(); output; output = server.poll()) {
          if (output.kind !== 'request') continue
          server.respond(output.stream, 200, 'a/b')
          server.write(output.stream, new Uint8Array(100))
        }
      }
      server.handleBytes(rest)
      expect(server.backlog).toBeLessThan(60 * 200)
      server.handleGone()
      expect([server.hasWork, server.isBroken]).toEqual([false, true])
    }),
    { numRuns: 500 },
  )
})

/** What may happen to a connection with three answers under way. */
const steps = fc.oneof(
  fc.record({ do: fc.constant('write' as const), which: fc.nat(2), size: fc.nat(40_000) }),
  fc.record({
    do: fc.constant('open' as const),
    which: fc.nat(3),
    size: fc.integer({ min: 1, max: 50_000 }),
  }),
  fc.record({ do: fc.constant('window' as const), which: fc.nat(2), size: fc.nat(80_000) }),
  fc.record({ do: fc.constant('take' as const), which: fc.nat(2), size: fc.integer({ min: 30, max: 4077 }) }),
)

test('every stream sends what was written to it, in order, and never more than the client gave room for', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 40 }), (list) => {
      const server = new Http2Server()
      for (const bytes of [PREFACE, settingsFrame([])]) server.handleBytes(bytes)
      for (const id of STREAMS) {
        server.handleBytes(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, id, HEADERS))
        server.respond(id, 200, 'a/b')
      }
      const written = new Map(STREAMS.map((id) => [id, 0]))
      const got = new Map(STREAMS.map((id) => [id, 0]))
      const ended = new Set<number>()
      const room = new Map([0, ...STREAMS].map((id) => [id, 65_535]))
      let first = 65_535
      const add = (map: Map<number, number>, id: number, more: number): number => {
        const sum = (map.get(id) ?? 0) + more
        map.set(id, sum)
        return sum
      }
      const take = (size: number): void => {
        const bytes = new Uint8Array(size)
        const end = server.sendInto(bytes, 0, size)
        for (let at = 0; at < end; at += 9 + (u32(bytes, at) >>> 8)) {
          const length = u32(bytes, at) >>> 8
          const id = u32(bytes, at + 5)
          if (bytes[at + 3] !== FRAME.data) continue
          const from = got.get(id) ?? 0
          const wrong = bytes
            .subarray(at + 9, at + 9 + length)
            .findIndex((byte, i) => byte !== ((from + i) & 0xff))
          expect(wrong).toBe(-1)
          add(got, id, length)
          const left = Math.min(add(room, 0, -length), add(room, id, -length))
          // The end of a stream may be told without room, for it takes none.
          expect(left >= 0 || length === 0).toBe(true)
          if (((bytes[at + 4] ?? 0) & FLAG.endStream) !== 0) ended.add(id)
        }
      }
      const write = (id: number, size: number): void => {
        const from = written.get(id) ?? 0
        server.write(
          id,
          Uint8Array.from({ length: size }, (_, i) => from + i),
        )
        add(written, id, size)
      }
      const open = (id: number, size: number): void => {
        server.handleBytes(frameOf(FRAME.windowUpdate, id, size))
        add(room, id, size)
      }
      for (const step of list) {
        const id = STREAMS[step.which % 3] ?? 1
        if (step.do === 'write') write(id, step.size)
        else if (step.do === 'open') open(step.which === 3 ? 0 : id, step.size)
        else if (step.do === 'take') take(step.size)
        else {
          server.handleBytes(settingsFrame([[4, step.size]]))
          for (const stream of STREAMS) add(room, stream, step.size - first)
          first = step.size
        }
      }
      for (const id of STREAMS) server.end(id)
      for (const id of [0, ...STREAMS]) open(id, 10_000_000)
      while (server.hasWork) take(4077)
      expect(got).toEqual(written)
      expect(ended).toEqual(new Set(STREAMS))
    }),
    { numRuns: 150 },
  )
})
