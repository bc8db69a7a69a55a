// A body of 1 GiB at every address that takes one, as fast as loopback goes: it is cut off early, whoever sends it.

import { connect } from 'node:net'
import type { ClientHttp2Session } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startControl } from '../../src/contract/start-control.ts'
import { ADMIN_PATH, type ControlListener } from '../../src/node/index.ts'
import { RawMachine } from './raw-client.ts'

const GIB = 1 << 30
const PIECE = new Uint8Array(1 << 16).fill(0x20)
/** What both sides' sockets may hold when the server hangs up: it has read less than a megabyte of it. */
const HELD = 24 << 20
const ID = '0'.repeat(32)

let control: ControlListener
let apiKey = ''
const sessions: ClientHttp2Session[] = []

beforeAll(async () => {
  control = await startControl()
  await control.admin({ verb: 'users create', name: 'ann' })
  apiKey = (await control.admin({ verb: 'apikeys create' })).key
})

afterAll(async () => {
  for (const session of sessions) session.destroy()
  await control.close()
})

interface Outcome {
  /** How many bytes of body went into the socket before the server hung up. */
  readonly sent: number
  /** What it answered; empty when the reset came first. */
  readonly answer: string
}

/** Sends a request and a body that never ends, until the server hangs up. */
function pour(head: readonly string[], isChunked: boolean): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(control.url).port), '127.0.0.1')
    let [sent, answer] = [0, '']
    const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${GIB}`
    const piece = isChunked ? Buffer.concat([Buffer.from('10000\r\n'), PIECE, Buffer.from('\r\n')]) : PIECE
    const more = (): void => {
      while (sent < GIB && !socket.destroyed) {
        sent += PIECE.length
        if (!socket.write(piece)) return
      }
      if (sent >= GIB) socket.destroy()
    }
    socket.on('drain', more)
    socket.on('data', (chunk) => (answer += String(chunk)))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve({ sent, answer }))
    socket.write(`${[...head, 'Host: x', framing].join('\r\n')}\r\n\r\n`)
    more()
  })
}

const UPGRADE = ['Connection: upgrade', 'Upgrade: tailscale-control-protocol']

describe.each([
  ['with its length', false],
  ['in chunks', true],
])('threat 26, control 57: a body of 1 GiB %s', (_, isChunked) => {
  test.each([
    ['GET /key?v=138'],
    ['GET /health'],
    ['GET /'],
    ['POST /nothing'],
    ['POST /verify'],
    [`GET /register/${ID}`],
    [`POST /register/${ID}`],
    [`GET /ssh/${ID}`],
    [`HEAD /machine/ping-response?id=${ID}`],
    [`POST /machine/ping-response?id=${ID}`],
    ['POST /machine/register'],
    ['POST /ts2021'],
    ['POST /ts2021', ...UPGRADE],
    ['POST /ts2021', ...UPGRADE, `X-Tailscale-Handshake: ${Buffer.alloc(101).toString('base64')}`],
    ['GET /ts2021', 'Connection: upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
    [`POST ${ADMIN_PATH}`],
    [`POST ${ADMIN_PATH}`, 'Authorization: Bearer x'],
    ['POST /api/v1/user'],
    ['POST /api/v1/nothing', 'Authorization: Bearer x'],
  ])('%s is cut off before authentication', async (line, ...headers) => {
    const { sent } = await pour([`${line} HTTP/1.1`, ...headers], isChunked)
    expect(sent).toBeLessThan(HELD)
  })

  test('is cut off at the API though its key is good', async () => {
    const key = `Authorization: Bearer ${apiKey}`
    const { sent, answer } = await pour(['POST /api/v1/user HTTP/1.1', key], isChunked)
    expect(sent).toBeLessThan(HELD)
    expect(answer).toMatch(/^(HTTP\/1\.1 413 .*)?$/s)
  })
})

test('threat 26: a command that says that it has 1 GiB is refused before any of it is read', async () => {
  const { sent } = await pour([`POST ${ADMIN_PATH} HTTP/1.1`, `Authorization: Bearer ${apiKey}`], false)
  expect(sent).toBeLessThan(HELD)
})

test('threat 26: a command that never ends is cut off, unless it is a backup to restore, though its key is good', async () => {
  const head = [`POST ${ADMIN_PATH} HTTP/1.1`, `Authorization: Bearer ${apiKey}`]
  const { sent, answer } = await pour(head, true)
  expect(sent).toBeLessThan(HELD)
  expect(answer).toMatch(/^(HTTP\/1\.1 413 .*)?$/s)
  const send = async (command: object): Promise<number> => {
    const headers = { Authorization: `Bearer ${apiKey}` }
    const body = JSON.stringify(command)
    return (await fetch(control.url + ADMIN_PATH, { method: 'POST', headers, body })).status
  }
  const long = 'x'.repeat(5 << 20)
  expect(await send({ verb: 'policy set', policy: long })).toBe(413)
  // It is no backup, but it was read.
  expect(await send({ verb: 'restore', backup: long })).toBe(400)
})

/** Sends a body that never ends inside Noise, until the stream is over. */
function pourInside(session: ClientHttp2Session, method: string, path: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const stream = session.request({ ':method': method, ':path': path }, { endStream: false })
    let [sent, answer] = [0, '']
    const more = (): void => {
      while (sent < GIB && stream.writable) {
        sent += PIECE.length
        if (!stream.write(PIECE)) return
      }
      if (sent >= GIB) stream.close()
    }
    stream.on('response', (headers) => (answer = String(headers[':status'])))
    stream.on('drain', more)
    stream.on('data', () => undefined)
    stream.on('error', () => undefined)
    stream.on('close', () => resolve({ sent, answer }))
    more()
  })
}

describe.each([['a stranger'], ['a node']])('threat 26, control 57: inside Noise, from %s', (who) => {
  test.each([
    ['POST', '/machine/register'],
    ['POST', '/machine/map'],
    ['POST', '/machine/set-dns'],
    ['POST', '/machine/id-token'],
    ['POST', '/machine/audit-log'],
    ['POST', '/machine/update-health'],
    ['POST', '/machine/feature/query'],
    ['PATCH', '/machine/set-device-attr'],
    ['POST', `/machine/c2n/${ID}`],
    ['GET', '/machine/whoami'],
    ['GET', '/machine/ssh/action/1/to/2?local_user=x'],
    ['POST', '/machine/nothing'],
    ['POST', '/elsewhere'],
  ])('%s %s with 1 GiB ends its stream alone', async (method, path) => {
    const machine = new RawMachine()
    const session = await machine.connect(control.url)
    session.on('error', () => undefined)
    sessions.push(session)
    const { key } = await control.admin({ verb: 'preauthkeys create', user: 'ann' })
    const joined = await machine.register(session, who === 'a node' ? { Auth: { AuthKey: key } } : {})
    expect(joined.status).toBe(200)
    const before = process.memoryUsage().arrayBuffers
    const { sent, answer } = await pourInside(session, method, path)
    expect(sent).toBeLessThan(4 << 20)
    expect(['413', '404', '']).toContain(answer)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(HELD)
    // The connection goes on.
    expect((await machine.register(session)).status).toBe(200)
    session.destroy()
  })
})
