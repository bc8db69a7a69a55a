// Node's own HTTP/2 client at our server, over a wire that cuts where it likes.

import { type ClientHttp2Session, connect } from 'node:http2'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Http2Server } from '../../src/http2/http2-server.ts'

/** Answers every request with its path and its body. */
class Echo extends Duplex {
  readonly #server = new Http2Server()
  readonly #bodies = new Map<number, { path: string; bytes: Buffer }>()
  readonly #cut: number

  constructor(cut: number) {
    super()
    this.#cut = cut
    this.#send()
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    for (let at = 0; at < chunk.length; at += this.#cut)
      this.#server.handleBytes(Uint8Array.from(chunk.subarray(at, at + this.#cut)))
    for (let output = this.#server.poll(); output; output = this.#server.poll()) {
      const { kind, stream } = output
      if (kind === 'request') this.#bodies.set(stream, { path: output.path, bytes: Buffer.alloc(0) })
      const asked = this.#bodies.get(stream)
      if (kind === 'body' && asked) asked.bytes = Buffer.concat([asked.bytes, output.bytes])
      if ((kind === 'request' || kind === 'body') && output.ended && asked) {
        if (asked.bytes.length > 0) this.#server.respond(stream, 200, 'text/plain')
        else this.#server.respond(stream, 429, 'text/plain', 3600)
        this.#server.write(stream, Buffer.from(asked.path))
        this.#server.write(stream, asked.bytes)
        this.#server.end(stream)
      }
    }
    this.#send()
    done()
  }

  #send(): void {
    while (this.#server.hasWork) {
      const bytes = new Uint8Array(this.#cut + 1000)
      const end = this.#server.sendInto(bytes, 0, bytes.length)
      if (end === 0) return
      this.push(bytes.slice(0, end))
    }
  }
}

function ask(
  session: ClientHttp2Session,
  path: string,
  body: Buffer,
  more: object = {},
): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': path, ...more })
    let [status, again] = [0, '']
    const chunks: Buffer[] = []
    stream.on('response', (headers) => {
      status = headers[':status'] ?? 0
      again = headers['retry-after'] ?? ''
    })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => resolve([status, again + Buffer.concat(chunks).toString('latin1')]))
    stream.on('error', reject)
    stream.end(body)
  })
}

test.each([1, 100, 100_000])(
  'many requests at once, through a wire that cuts after %i bytes',
  async (cut) => {
    const session = connect('http://unused', { createConnection: () => new Echo(cut) })
    const large = Buffer.alloc(cut === 1 ? 5000 : 300_000, 'mesh')
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => ask(session, `/${i}`, i % 4 === 0 ? large : Buffer.from(`${i}`))),
    )
    for (const [i, answer] of answers.entries())
      expect(answer).toEqual([200, `/${i}${i % 4 === 0 ? large.toString('latin1') : i}`])
    expect(await ask(session, '/none', Buffer.alloc(0))).toEqual([429, '3600/none'])
    session.close()
  },
)

test('every path and header that a client may send is read as it was sent', async () => {
  const session = connect('http://unused', {
    createConnection: () => new Echo(4096),
    settings: { headerTableSize: 0 },
  })
  const printable = fc.string({
    unit: fc.constantFrom(...Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))),
  })
  await fc.assert(
    fc.asyncProperty(
      printable,
      fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), printable),
      async (text, more) => {
        const headers = Object.fromEntries(Object.entries(more).map(([name, value]) => [`x-${name}`, value]))
        expect(await ask(session, `/${text}`, Buffer.from('!'), headers)).toEqual([200, `/${text}!`])
      },
    ),
    { numRuns: 200 },
  )
  session.close()
})
