// An answer and a client that gives it no room, over HTTP/2 of this process.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FLAG, FRAME, frame, frameOf, PREFACE, settingsFrame } from '../../src/http2/frames.ts'
import { Http2Server } from '../../src/http2/http2-server.ts'
import { Exchange } from '../../src/node/exchange.ts'
import type { MachineLink } from '../../src/node/machine-link.ts'

const HEADERS = Uint8Array.of(0x83, 0x87, 0x04, 1, 47)
const window = (more: number): Uint8Array => frameOf(FRAME.windowUpdate, 1, more)

/** A link whose socket takes everything at once. */
class LinkFake implements Pick<MachineLink, 'http2' | 'flush'> {
  readonly http2 = new Http2Server()
  exchange: Exchange | undefined
  isOver = false

  flush(): void {
    while (this.http2.hasWork) this.http2.sendInto(new Uint8Array(4077), 0, 4077)
    for (let output = this.http2.poll(); output; output = this.http2.poll())
      if (output.kind === 'closed') this.exchange?.handleOver()
      else if (output.kind === 'sent') this.exchange?.handleWritten()
  }

  say(...bytes: readonly Uint8Array[]): void {
    for (const some of bytes) this.http2.handleBytes(some)
    this.flush()
  }
}

/** A client that begins a request, and gives its answer no window. */
function begin(): { link: LinkFake; exchange: Exchange } {
  const link = new LinkFake()
  const ask = frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, HEADERS)
  link.say(PREFACE, settingsFrame([[4, 0]]), ask)
  const exchange = new Exchange(link as unknown as MachineLink, 1)
  exchange.onOver = () => (link.isOver = true)
  link.exchange = exchange
  return { link, exchange }
}

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

test('threat 26: a client that takes nothing of its answer for half a minute loses its stream', () => {
  const { link, exchange } = begin()
  exchange.sendJson({ text: 'x'.repeat(100) })
  vi.advanceTimersByTime(29_000)
  expect([exchange.isGone, link.isOver]).toEqual([false, false])
  link.say(window(50))
  vi.advanceTimersByTime(30_000)
  expect(exchange.isGone).toBe(false)
  vi.advanceTimersByTime(2_000)
  expect([exchange.isGone, link.isOver]).toEqual([true, true])
})

test('an answer that was taken, or has not ended, is nobody to be impatient with', () => {
  const [taken, following] = [begin(), begin()]
  taken.exchange.sendJson({})
  following.exchange.sendMap([new Uint8Array(100)])
  expect(vi.getTimerCount()).toBe(1)
  taken.link.say(window(50))
  expect([taken.link.isOver, vi.getTimerCount()]).toEqual([true, 0])
  vi.advanceTimersByTime(600_000)
  expect(following.exchange.isGone).toBe(false)
})

test('threat 26: a client that takes nothing of its snapshot for half a minute makes room for others', () => {
  const { link, exchange } = begin()
  let written = 0
  exchange.sendMap([new Uint8Array(1000)], () => (written += 1))
  link.say(window(50))
  vi.advanceTimersByTime(30_000)
  // What came since is no sign of life, and no sign of death.
  exchange.sendMap([new Uint8Array(500)])
  expect([exchange.isGone, written]).toEqual([false, 0])
  vi.advanceTimersByTime(30_000)
  expect([exchange.isGone, written]).toEqual([true, 1])
})

test('a client that has taken its snapshot may be silent for as long as it likes', () => {
  const { link, exchange } = begin()
  let written = 0
  exchange.sendMap([new Uint8Array(1000)], () => (written += 1))
  link.say(window(1000))
  expect([written, vi.getTimerCount()]).toEqual([1, 0])
  exchange.sendMap([new Uint8Array(500)])
  vi.advanceTimersByTime(600_000)
  expect(exchange.isGone).toBe(false)
})

test('a snapshot may be larger than what may pile up, with changes behind it', () => {
  const { link, exchange } = begin()
  let written = 0
  expect(exchange.sendMap([new Uint8Array(6 << 20)], () => (written += 1))).toBe(true)
  for (let i = 0; i < 4; i += 1) expect(exchange.sendMap([new Uint8Array(1 << 20)])).toBe(true)
  link.say(frameOf(FRAME.windowUpdate, 0, 100 << 20), window(10 << 20))
  expect(written).toBe(1)
  for (let i = 0; i < 5; i += 1) expect(exchange.sendMap([new Uint8Array(1 << 20)])).toBe(true)
  expect(exchange.sendMap([new Uint8Array(1)])).toBe(false)
})
