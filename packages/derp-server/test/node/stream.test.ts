import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { socketStream } from '../../src/node/stream.ts'

/** A socket that notes what it is told about signs of life. */
class NotingSocket extends Duplex {
  readonly keepAlive: [on: boolean, after: number][] = []

  override _read(): void {}

  setKeepAlive(on: boolean, after: number): void {
    this.keepAlive.push([on, after])
  }
}

const EVENTS = {
  bytes: () => undefined,
  taken: () => undefined,
  closed: () => undefined,
}

test.each([
  ['ten minutes of silence unless told otherwise', undefined, [true, 600_000]],
  ['as long as it is told', 30_000, [true, 30_000]],
  ['never when told 0', 0, [false, 0]],
])('TCP asks a silent client for a sign of life: %s', (_, after, expected) => {
  const socket = new NotingSocket()
  socketStream(socket, new Uint8Array(0), EVENTS, after)
  expect(socket.keepAlive).toEqual([expected])
})
