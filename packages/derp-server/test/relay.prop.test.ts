// Strangers' bytes: whatever comes, and however it is cut, the relay neither throws nor lets anybody in.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FRAME_RECV_PACKET } from '@mesh/wire/derp'
import { seededRandom } from '@mesh/sansio'
import { answerStun } from '../src/index.ts'
import { KeyMap } from '../src/key-map.ts'
import { dataPacket, loginFrame, RelayBench } from './support.ts'

test('damaged bytes before the login never throw and never let anybody in', () => {
  const login = loginFrame(new Uint8Array(32).fill(1), new RelayBench().relay.publicKey)
  const damaged = fc
    .tuple(fc.nat(login.length - 1), fc.integer({ min: 1, max: 255 }))
    .map(([at, flip]) => login.map((byte, i) => (i === at ? byte ^ flip : byte)))
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 300 })), (bytes) => {
      const bench = new RelayBench()
      bench.connect(1).say(bytes)
      bench.advance(20_000)
      expect(bench.relay.stats).toMatchObject({ clients: 0, connections: 0 })
    }),
    { numRuns: 50 },
  )
})

test('a login has one spelling of its key: with the bit that X25519 overlooks it is refused', () => {
  const bench = new RelayBench()
  const login = loginFrame(new Uint8Array(32).fill(1), bench.relay.publicKey)
  const client = bench.connect(1)
  client.say(login.map((byte, i) => (i === 5 + 31 ? byte ^ 0x80 : byte)))
  expect(client.closed).toBe('bad-login')
})

test('random bytes after the login never throw and never reach anybody', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), (chunks) => {
      const bench = new RelayBench()
      const bob = bench.connect(2).login()
      bench
        .connect(1)
        .login()
        .say(...chunks)
      bench.advance(200_000)
      expect(bob.closed).toBeUndefined()
    }),
    { numRuns: 50 },
  )
})

test('every packet to one who takes everything arrives once and in order, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(255), { maxLength: 20 }), fc.integer({ min: 1, max: 400 }), (marks, cut) => {
      const bench = new RelayBench()
      const bob = bench.connect(2).login()
      const alice = bench.connect(1).login()
      const frames = marks.map((mark) => [4, 0, 0, 0, 132, ...bob.key, ...dataPacket(mark)])
      const bytes = Uint8Array.from(frames.flat())
      for (let at = 0; at < bytes.length; at += cut) alice.say(bytes.subarray(at, at + cut))
      expect(bob.got(FRAME_RECV_PACKET).map((payload) => payload.at(-1))).toEqual(marks)
    }),
    { numRuns: 50 },
  )
})

test('a key map holds what a map of strings would hold', () => {
  const operation = fc.record({ key: fc.nat(12), add: fc.boolean() })
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const map = new KeyMap<number>(seededRandom(3))
      const model = new Map<number, number>()
      operations.forEach(({ key, add }, i) => {
        const bytes = new Uint8Array(32).fill(key)
        if (add && !model.has(key)) {
          map.add(bytes, i)
          model.set(key, i)
        } else if (!add) {
          map.delete(bytes)
          model.delete(key)
        }
        expect(map.get(bytes)).toBe(model.get(key))
        expect(map.size).toBe(model.size)
      })
    }),
  )
})

test('threat 32: noise gets no STUN answer', () => {
  const source = { address: new Uint8Array(16).fill(1), port: 1 }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      expect(answerStun(bytes, source)).toBeUndefined()
    }),
  )
})
