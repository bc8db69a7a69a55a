import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toBase64 } from '../src/base64.ts'
import { decodeClientAnswer, encodeClientCall } from '../src/client-call.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('a call is one HTTP/1.1 request', () => {
  const text = new TextDecoder().decode(encodeClientCall({ method: 'POST', path: '/wol', body: 'ä' }))
  expect(text).toBe(
    'POST /wol HTTP/1.1\r\nHost: unused\r\nC2n-Handler-Timeout: 30s\r\nContent-Length: 2\r\n\r\nä',
  )
  for (const path of ['', 'echo', '/a b', '/\r\nX: y', `/${'x'.repeat(3000)}`])
    expect(() => encodeClientCall({ path })).toThrow('begins with /')
  expect(() => encodeClientCall({ method: 'GET /x', path: '/' })).toThrow('method in capitals')
})

test('an answer is its status, headers and the rest', () => {
  const answer = decodeClientAnswer(bytes('HTTP/1.1 200 OK\r\nContent-Type: a\r\nX:  b \r\n\r\nbody\r\n\r\n'))
  expect(answer).toEqual({
    status: 200,
    headers: { 'content-type': 'a', x: 'b' },
    body: bytes('body\r\n\r\n'),
  })
  for (const bad of ['', 'HTTP/1.1 200 OK', 'HTTP/2 200 OK\r\n\r\n', 'HTTP/1.1 20\r\n\r\n', 'x\r\n\r\n'])
    expect([bad, decodeClientAnswer(bytes(bad))]).toEqual([bad, undefined])
})

test('no bytes make reading an answer throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (random) => {
      decodeClientAnswer(random)
      decodeClientAnswer(new Uint8Array([...bytes('HTTP/1.1 200 OK\r\n'), ...random]))
    }),
  )
})

test('base64 is what everybody calls it', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (random) => {
      expect(toBase64(random)).toBe(Buffer.from(random).toString('base64'))
    }),
  )
})
