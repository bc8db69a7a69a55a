// Clauses about packets on their way out: routes, sessions, what waits.
import { decodeTransport } from '@mesh/wire/wireguard'
import { ACTIVITY, PacketBuffer, packetOf } from '../index.ts'
import { Bench, equal, seal, packet, PEER, OTHER, NOTHING, type ContractCase } from './bench.ts'

/** What is done with packets of the overlay, and for their sake. */
export const sendingClauses: readonly ContractCase[] = [
  {
    name: 'seals what the overlay sends, in order, padded, with counters from 0 up',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      bench.overlaySends([packet('10.0.0.1', '10.0.0.2', 21), packet('10.0.0.1', '10.0.0.2', 1_275)])
      equal(
        bench.underlay.map(({ bytes }) => decodeTransport(bytes)?.counterLow),
        [0, 1, 2],
      )
      const [keepalive, small, large] = bench.sent()
      equal([keepalive?.plaintext.length, small?.plaintext.length, large?.plaintext.length], [0, 32, 1_280])
      equal(
        small?.plaintext.subarray(21).every((byte) => byte === 0),
        true,
      )
      equal(bench.takeActivity(), ACTIVITY.sent | ACTIVITY.sentData)
    },
  },
  {
    name: 'W13 pads with zeros, and not with what stood in a buffer before',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      const full = packet('10.0.0.1', '10.0.0.2', 1_280).fill(0xee, 20)
      for (let i = 0; i < 3; i += 1) bench.overlaySends([full, full])
      bench.sent()
      bench.overlaySends([packet('10.0.0.1', '10.0.0.2', 33), packet('10.0.0.1', '10.0.0.2', 33)])
      for (const { plaintext } of bench.sent())
        equal(
          [...plaintext.subarray(33)],
          Array.from({ length: 15 }, () => 0),
        )
    },
  },
  {
    name: 'chooses the peer by the longest prefix of the destination',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      bench.begin(2, { peer: OTHER })
      bench.sent()
      const to = ['10.0.0.2', '10.1.2.3', '10.1.3.3', '10.0.0.3']
      bench.overlaySends(to.map((destination) => packet('10.0.0.1', destination)))
      equal(
        bench.sent().map(({ peer }) => peer),
        [PEER, OTHER, PEER, OTHER],
      )
      bench.overlaySends([packet('10.0.0.1', '10.2.0.1'), Uint8Array.of(0x45, 1, 2)])
      equal([bench.drops('no-route'), bench.drops('not-ip'), bench.underlay.length], [1, 1, 0])
    },
  },
  {
    name: 'W8 keeps the newest 128 packets until a session begins, and sends them then in order',
    run(make) {
      const bench = new Bench(make)
      for (let i = 0; i < 130; i += 1) bench.overlaySends([packet('10.0.0.1', '10.0.0.2', 40, i)])
      equal(bench.takeActivity(), ACTIVITY.needSession)
      bench.begin(1)
      equal(
        bench.sent().map(({ plaintext }) => plaintext[20]),
        Array.from({ length: 128 }, (_, i) => i + 2),
      )
      equal(bench.drops('staged-overflow'), 2)
    },
  },
  {
    name: 'W7 sends a keepalive on a session we began when nothing waits, the priority packet before it',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      equal(
        bench.sent().map(({ plaintext }) => plaintext.length),
        [0],
      )
      bench.plane.setPriorityPacket(PEER, packet('10.0.0.1', '10.0.0.2', 48))
      bench.begin(2)
      equal(
        bench.sent().map(({ plaintext }) => plaintext.length),
        [48, 0],
      )
      bench.plane.setPriorityPacket(PEER, undefined)
    },
  },
  {
    name: 'W7 does not send on a session the peer began until it was heard with it',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1, { initiator: false })
      bench.overlaySends([packet('10.0.0.1', '10.0.0.2', 40, 7)])
      equal([bench.underlay.length, bench.takeActivity()], [0, ACTIVITY.needSession])
      bench.underlaySends([seal(1, 0, NOTHING)])
      equal(
        bench.sent().map(({ plaintext }) => plaintext[20]),
        [7],
      )
      equal(
        bench.takeActivity(),
        ACTIVITY.received | ACTIVITY.established | ACTIVITY.sent | ACTIVITY.sentData,
      )
    },
  },
  {
    name: 'W10 does not say of data that was answered in the same call that it waits for an answer',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1, { initiator: false })
      bench.overlaySends([packet('10.0.0.1', '10.0.0.2', 40, 7)])
      bench.takeActivity()
      bench.underlaySends([seal(1, 0, packet('10.0.0.2', '10.0.0.1', 40, 8))])
      equal(
        bench.takeActivity(),
        ACTIVITY.received | ACTIVITY.established | ACTIVITY.sent | ACTIVITY.sentData,
      )
    },
  },
  {
    name: 'W9 asks for a rekey on sending after 120 s, and once on receiving after 165 s, of its own sessions only',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      bench.begin(2, { peer: OTHER, initiator: false })
      bench.underlaySends([seal(2, 0, NOTHING)])
      const asks = (): boolean => (bench.takeActivity() & ACTIVITY.rekey) !== 0
      const sends = (to: string, now: number): boolean => {
        bench.overlaySends([packet('10.0.0.1', to)], now)
        return asks()
      }
      equal(
        [sends('10.0.0.2', 120_000), sends('10.0.0.2', 120_001), sends('10.0.0.3', 170_000)],
        [false, true, false],
      )
      const receives = (counter: number, now: number): boolean => {
        bench.underlaySends([seal(1, counter, NOTHING)], { now })
        return asks()
      }
      equal([receives(1, 165_000), receives(2, 165_001), receives(3, 165_002)], [false, true, false])
    },
  },
  {
    name: 'forgets the sessions of a peer when told to, and the peer when it is no longer named',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      bench.plane.endSessions(PEER)
      bench.underlaySends([seal(1, 0, packet('10.0.0.2', '10.0.0.1'))])
      equal([bench.ended, bench.drops('unknown-index')], [[1], 1])
      bench.begin(2)
      bench.plane.setRoutes([])
      bench.underlay.length = 0
      bench.overlaySends([packet('10.0.0.1', '10.0.0.2')])
      equal([bench.ended, bench.underlay.length, bench.drops('no-route')], [[1, 2], 0, 1])
      equal(bench.plane.peerCounters(PEER), undefined)
    },
  },
  {
    name: 'drops what waits when told that nobody answers',
    run(make) {
      const bench = new Bench(make)
      bench.overlaySends([packet('10.0.0.1', '10.0.0.2'), packet('10.0.0.1', '10.0.0.2')])
      bench.plane.dropStaged(PEER)
      bench.begin(1)
      equal([bench.sent().length, bench.drops('no-session')], [1, 2])
    },
  },
  {
    name: 'sends a keepalive, or asks for a session where there is none',
    run(make) {
      const bench = new Bench(make)
      bench.plane.sendKeepalive(PEER, 0)
      equal([bench.takeActivity(), bench.underlay.length], [ACTIVITY.needSession, 0])
      bench.begin(1)
      bench.sent()
      bench.takeActivity()
      bench.plane.sendKeepalive(PEER, 0)
      equal(
        [bench.sent().map(({ plaintext }) => plaintext.length), bench.takeActivity()],
        [[0], ACTIVITY.sent],
      )
    },
  },
  {
    name: 'may be called from within its own callbacks',
    run(make) {
      const bench = new Bench(make)
      const seen = bench.overlay
      bench.toOverlay = (batch) => {
        for (let i = 0; i < batch.count; i += 1) {
          const mark = packetOf(batch, i)[20] ?? 0
          bench.overlaySends([packet('10.0.0.1', '10.0.0.2', 40, mark)])
          seen.push({ peer: PEER, bytes: packetOf(batch, i).slice() }) // the batch is still what it was
        }
      }
      bench.begin(1)
      bench.sent()
      const inner = [1, 2, 3].map((mark) => packet('10.0.0.2', '10.0.0.1', 40, mark))
      bench.underlaySends(inner.map((bytes, i) => seal(1, i, bytes)))
      equal(
        seen.map(({ bytes }) => bytes[20]),
        [1, 2, 3],
      )
      equal(
        bench.sent().map(({ plaintext }) => plaintext[20]),
        [1, 2, 3],
      )
    },
  },
  {
    name: 'threat 17: seals nothing with the key of a session that was ended from within a callback',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      bench.sent()
      const { underlay } = bench
      bench.toUnderlay = (peer, batch) => {
        for (let i = 0; i < batch.count; i += 1) underlay.push({ peer, bytes: packetOf(batch, i).slice() })
        bench.plane.endSessions(PEER)
      }
      const burst = Array.from({ length: 300 }, () => packet('10.0.0.1', '10.0.0.2', 40))
      const batch = new PacketBuffer(512, 1 << 20)
      for (const bytes of burst) batch.push(bytes)
      bench.plane.fromOverlay(batch, 0)
      bench.sent() // every one opens with the key of the session
      equal(bench.ended, [1])
    },
  },
  {
    name: 'passes on a batch larger than any buffer, in order',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      bench.sent()
      const batch = new PacketBuffer(600, 1 << 20)
      for (let i = 0; i < 600; i += 1) batch.push(packet('10.0.0.1', '10.0.0.2', 1_280, i & 255))
      bench.plane.fromOverlay(batch, 0)
      equal(
        bench.sent().map(({ plaintext }) => plaintext[20]),
        Array.from({ length: 600 }, (_, i) => i & 255),
      )
    },
  },
]
