// The packet thread's outgoing mail: strangers choose how much there is to say, so all of it is bounded.
import { expect, test } from 'vitest'
import { ACTIVITY } from '../../src/data-plane.ts'
import {
  MAX_REPORTS,
  type PlaneNews,
  type PlaneReport,
  SHARED_REPORTS,
  SHARED_WORDS,
} from '../../src/node/plane-messages.ts'
import { ReportWriter } from '../../src/node/report-writer.ts'
import { PlaneCounters } from '../../src/plane-counters.ts'
import { PlanePeer } from '../../src/plane-peer.ts'

const SOMEWHERE = { address: Uint8Array.of(192, 0, 2, 1), port: 7 }

function openWriter(counters = new PlaneCounters()): {
  writer: ReportWriter
  posted: PlaneReport[]
  hearAll: () => void
} {
  const posted: PlaneReport[] = []
  const words = new Int32Array(SHARED_WORDS)
  const post = (news: PlaneNews): void => {
    if (news.kind === 'report') posted.push(news)
  }
  const hearAll = (): void => void Atomics.store(words, SHARED_REPORTS, 0)
  return { writer: new ReportWriter(post, words, counters), posted, hearAll }
}

test('threat 26: no more reports are under way than the control thread can hear, and nothing but packets is lost', () => {
  const { writer, posted, hearAll } = openWriter()
  for (let i = 0; i < 3 * MAX_REPORTS; i += 1) {
    writer.datagram(new Uint8Array(8), SOMEWHERE)
    writer.ended(i)
    writer.activity(new PlanePeer(i), ACTIVITY.needSession, i)
    writer.flush(i)
  }
  expect(posted).toHaveLength(MAX_REPORTS)
  expect(writer.overflow).toBe(2 * MAX_REPORTS)
  expect(writer.timeout(1_000)).toBeGreaterThan(0) // no spinning meanwhile
  hearAll()
  expect(writer.timeout(1_000)).toBe(0)
  writer.flush(1_000)
  expect(posted.flatMap(({ ended }) => ended)).toEqual(Array.from({ length: 3 * MAX_REPORTS }, (_, i) => i))
  expect(new Set(posted.flatMap(({ peers }) => peers.map(({ peer }) => peer))).size).toBe(3 * MAX_REPORTS)
})

test('threat 26: what strangers send is bounded by bytes as well as by number', () => {
  const { writer, posted } = openWriter()
  for (let i = 0; i < 256; i += 1) writer.datagram(new Uint8Array(65_507), SOMEWHERE)
  writer.flush(0)
  const bytes = posted.flatMap(({ datagrams }) => datagrams).reduce((sum, one) => sum + one.bytes.length, 0)
  expect(bytes).toBeLessThanOrEqual(256 * 1024)
  expect(bytes).toBeGreaterThan(0)
  expect(writer.overflow).toBe(256 - (posted[0]?.datagrams.length ?? 0))
})

test('a peer that is forgotten is forgotten, and heard anew when it comes back', () => {
  const { writer, posted } = openWriter()
  writer.source(1, SOMEWHERE, 0)
  writer.source(2, SOMEWHERE, 0)
  writer.flush(100)
  writer.keepPeers(new Set([2]))
  writer.source(1, SOMEWHERE, 200)
  writer.source(2, SOMEWHERE, 200)
  writer.flush(300)
  expect(posted.map(({ sources }) => sources.map(({ peer }) => peer))).toEqual([[1, 2], [1]])
})

test('threat 26: a peer that is everywhere at once takes one place in a report', () => {
  const { writer, posted, hearAll } = openWriter()
  for (let i = 0; i < MAX_REPORTS; i += 1) {
    writer.ended(i)
    writer.flush(0)
  }
  const elsewhere = { address: Uint8Array.of(192, 0, 2, 2), port: 8 }
  for (let i = 0; i < 10_000; i += 1) writer.source(1, i % 2 === 0 ? SOMEWHERE : elsewhere, i)
  hearAll()
  writer.flush(10_000)
  expect(posted.at(-1)?.sources).toEqual([{ peer: 1, source: elsewhere }])
})

test('a send that fails is told once a report for each place, and counted each time', () => {
  const { writer, posted } = openWriter()
  for (let i = 0; i < 100; i += 1) writer.trouble(-101, SOMEWHERE, 3, 0)
  expect(writer.timeout(0)).toBeGreaterThan(0) // no haste
  writer.flush(100)
  expect(posted.map(({ troubles }) => troubles)).toEqual([[{ result: -101, to: SOMEWHERE }]])
  expect(posted[0]?.counters.sendErrors).toBe(300)
})

test('packets that were lost are told of within moments, once, also when nothing else is to be said', () => {
  const counters = new PlaneCounters()
  const { writer, posted } = openWriter(counters)
  counters.drop('forged', 3)
  writer.flush(0)
  expect([posted.length, writer.timeout(0)]).toEqual([0, 50])
  writer.flush(50)
  writer.hostDrops += 1
  for (const now of [60, 110, 200]) writer.flush(now)
  expect(posted.map((report) => [report.counters.drops.forged, report.counters.hostDrops])).toEqual([
    [3, 0],
    [3, 1],
  ])
  expect(writer.timeout(1_000)).toBe(Infinity)
})

test('W10: what was answered before a report is posted waits for no answer', () => {
  const { writer, posted } = openWriter()
  const peer = new PlanePeer(1)
  const { sent, sentData, received, receivedData } = ACTIVITY
  writer.activity(peer, sent | sentData, 0) // a ping, its answer, an empty packet
  writer.activity(peer, received | receivedData, 1)
  writer.activity(peer, sent, 2)
  writer.flush(60)
  writer.activity(peer, received | receivedData, 61)
  writer.activity(peer, sent | sentData, 62)
  writer.flush(120)
  expect(posted.flatMap(({ peers }) => peers.map(({ activity }) => activity))).toEqual([
    sent | received,
    sent | sentData | received,
  ])
})
