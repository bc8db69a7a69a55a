// Clauses about datagrams on their way in: what opens, what is new, what is the peer’s to send.
import { nobleCrypto } from '@mesh/noise'
import { encodeTransport } from '@mesh/wire/wireguard'
import { ACTIVITY, packetOf } from '../index.ts'
import {
  Bench,
  equal,
  nonceOf,
  seal,
  packet,
  padded,
  text,
  PEER,
  OTHER,
  NOTHING,
  type ContractCase,
} from './bench.ts'

/** What is done with datagrams of the network. */
export const receivingClauses: readonly ContractCase[] = [
  {
    name: 'delivers what opens, trimmed to its own length, and says from which peer and source',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      const inner = packet('10.0.0.2', '10.0.0.1', 45)
      bench.takeActivity()
      bench.underlaySends([seal(1, 0, padded(inner)), seal(1, 1, NOTHING)], { source: 9 })
      equal(
        bench.overlay.map(({ peer, bytes }) => [peer, text(bytes)]),
        [[PEER, text(inner)]],
      )
      equal(bench.sources, [9])
      equal(bench.takeActivity(), ACTIVITY.received | ACTIVITY.receivedData)
      equal(bench.plane.peerCounters(PEER)?.receivedPackets, 2)
      bench.underlaySends([seal(1, 2, NOTHING)], { source: 9 })
      equal(bench.sources, [9, 9]) // a source means something for the length of a call only
    },
  },
  {
    name: 'does not take a keepalive for data',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      bench.takeActivity()
      bench.underlaySends([seal(1, 0, NOTHING)])
      equal([bench.takeActivity(), bench.overlay.length], [ACTIVITY.received, 0])
    },
  },
  {
    name: 'W13 drops an inner packet that claims more than there is, or is none',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      const liar = packet('10.0.0.2', '10.0.0.1', 64)
      liar[3] = 80
      const short = packet('10.0.0.2', '10.0.0.1', 64)
      short[3] = 19
      bench.underlaySends([
        seal(1, 0, liar),
        seal(1, 1, short),
        seal(1, 2, new Uint8Array(32)),
        seal(1, 3, Uint8Array.of(0x45)),
      ])
      equal([bench.drops('bad-inner'), bench.overlay.length], [4, 0])
    },
  },
  {
    name: 'W14 drops a source outside the peer’s own prefixes, and lets two peers share one',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      bench.begin(2, { peer: OTHER })
      bench.underlaySends([
        seal(1, 0, packet('10.0.0.3', '10.0.0.1')),
        seal(2, 0, packet('10.0.0.2', '10.0.0.1')),
      ])
      equal([bench.drops('wrong-source'), bench.overlay.length], [2, 0])
      bench.underlaySends([
        seal(1, 1, packet('10.9.0.1', '10.0.0.1')),
        seal(2, 1, packet('10.9.0.1', '10.0.0.1')),
      ])
      equal(
        bench.overlay.map(({ peer }) => peer),
        [PEER, OTHER],
      )
    },
  },
  {
    name: 'W12 takes counters up to 8128 behind the highest once each, older ones never',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      for (const counter of [9_000, 9_000 - 8_128, 9_000 - 8_129, 9_000, 9_000 - 8_128, 8_999]) {
        bench.underlaySends([seal(1, counter, packet('10.0.0.2', '10.0.0.1'))])
      }
      equal([bench.overlay.length, bench.drops('replayed')], [3, 3])
    },
  },
  {
    name: 'W12 a forged packet with a huge counter does not move the window, nor does its source count',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      const forged = seal(1, 1_000_000, packet('10.0.0.2', '10.0.0.1'))
      forged[30] = (forged[30] ?? 0) ^ 1
      bench.underlaySends([forged, seal(1, 0, packet('10.0.0.2', '10.0.0.1'))], { source: -1 })
      bench.underlaySends([forged], { source: 4 })
      equal([bench.drops('forged'), bench.overlay.length, bench.sources.length], [2, 1, 0])
    },
  },
  {
    name: 'threat 22: takes counters around 2^32 and 2^53, and refuses 2^64 - 2^13 - 1 and beyond',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      const inner = packet('10.0.0.2', '10.0.0.1')
      const good: [number, number][] = [
        [0, 0xffff_ffff],
        [1, 0],
        [1, 1],
        [0x1f_ffff, 0xffff_ffff],
        [0x20_0000, 0],
        [0x20_0000, 1],
        [0xffff_ffff, 0xffff_dffe],
      ]
      bench.underlaySends(good.map(([high, low]) => seal(1, low, inner, high)))
      equal([bench.overlay.length, bench.drops('replayed')], [good.length, 0])
      bench.underlaySends(good.map(([high, low]) => seal(1, low, inner, high)))
      equal(bench.drops('replayed'), good.length)
      bench.underlaySends([
        seal(1, 0xffff_dfff, inner, 0xffff_ffff),
        seal(1, 0xffff_ffff, inner, 0xffff_ffff),
      ])
      equal(bench.drops('counter-limit'), 2)
    },
  },
  {
    name: 'W11 opens with the previous, the current and the next session; frees the one that falls out',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      bench.begin(2)
      bench.begin(3, { initiator: false }) // 1, the previous, goes
      equal(bench.ended, [1])
      const inner = packet('10.0.0.2', '10.0.0.1')
      bench.underlaySends([seal(2, 0, inner), seal(1, 0, inner)])
      equal([bench.overlay.length, bench.drops('unknown-index')], [1, 1])
      bench.underlaySends([seal(3, 0, inner), seal(2, 1, inner)])
      equal(bench.overlay.length, 3)
      bench.sent()
      bench.overlaySends([packet('10.0.0.1', '10.0.0.2')])
      equal(
        bench.sent().map(({ index }) => index),
        [3],
      )
    },
  },
  {
    name: 'W11 a session we begin while one of the peer’s is unheard makes that one the previous',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      bench.begin(2, { initiator: false })
      bench.begin(3)
      equal(bench.ended, [1])
      bench.underlaySends([seal(2, 0, packet('10.0.0.2', '10.0.0.1'))])
      equal(bench.overlay.length, 1)
      bench.begin(4)
      equal(bench.ended, [1, 2])
    },
  },
  {
    name: 'W9 neither seals nor opens with a session of 180 s',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      bench.takeActivity()
      bench.underlay.length = 0
      bench.overlaySends([packet('10.0.0.1', '10.0.0.2')], 180_000)
      bench.underlaySends([seal(1, 0, packet('10.0.0.2', '10.0.0.1'))], { now: 180_000 })
      equal([bench.underlay.length, bench.overlay.length, bench.drops('expired')], [0, 0, 1])
      equal(bench.takeActivity(), ACTIVITY.needSession)
    },
  },
  {
    name: 'W3 hands over handshake messages with their source, and drops what is nothing',
    run(make) {
      const bench = new Bench(make)
      const typed = (type: number, length: number): Uint8Array => {
        const bytes = new Uint8Array(length)
        bytes[0] = type
        return bytes
      }
      const good = [typed(1, 148), typed(2, 92), typed(3, 64)]
      const bad = [
        typed(1, 147),
        typed(2, 93),
        typed(3, 65),
        typed(4, 31),
        Uint8Array.of(7),
        NOTHING,
        typed(5, 64),
      ]
      bench.underlaySends([...bad, ...good, typed(4, 32)], { source: 3 })
      equal(
        bench.control.map(({ source, bytes }) => [source, bytes.length]),
        [
          [3, 148],
          [3, 92],
          [3, 64],
        ],
      )
      equal([bench.drops('not-wireguard'), bench.drops('unknown-index')], [bad.length, 1])
    },
  },
  {
    name: 'threat 17: opens nothing with the key of a session that was ended from within a callback',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      const { overlay } = bench
      bench.toOverlay = (batch) => {
        for (let i = 0; i < batch.count; i += 1)
          overlay.push({ peer: PEER, bytes: packetOf(batch, i).slice() })
        bench.plane.endSessions(PEER)
      }
      const good = packet('10.0.0.2', '10.0.0.1', 48)
      const evil = packet('10.0.0.2', '10.0.0.1', 64)
      const forge = (counterLow: number): Uint8Array => {
        const sealed = nobleCrypto.seal(new Uint8Array(32), nonceOf(0, counterLow), NOTHING, evil)
        return encodeTransport({ receiver: 1, counterHigh: 0, counterLow, sealed })
      }
      // Wherever a data plane's buffer ends, the next datagram is one for whoever knows that the key is zeros.
      for (const length of [32, 64, 128]) {
        if (length > 32) bench.begin(1)
        const burst = Array.from({ length }, (_, i) => seal(1, i, good))
        bench.underlaySends([...burst, forge(length), forge(length + 1)])
      }
      equal(
        overlay.every(({ bytes }) => bytes.length === good.length),
        true,
      )
    },
  },
  {
    name: 'threat 21: the largest datagram that UDP can carry does no harm',
    run(make) {
      const bench = new Bench(make)
      bench.begin(1)
      const huge = seal(1, 0, new Uint8Array(65_507 - 32))
      bench.underlaySends([huge, new Uint8Array(65_507).fill(4), seal(1, 1, packet('10.0.0.2', '10.0.0.1'))])
      equal(bench.overlay.length, 1)
    },
  },
]
