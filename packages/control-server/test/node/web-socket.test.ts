// The way in over a WebSocket, as browsers take it: with Node's own WebSocket client, which can do no more than theirs.

import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { connect } from 'node:net'
import { generatePrivateKey } from '@mesh/keys'
import { controlInitiate, RecordTransport } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { systemRandom } from '@mesh/sansio/node'
import {
  CAPABILITY_VERSION,
  decodeNoiseFrame,
  encodeInitiation,
  NOISE_FRAME,
  RESPONSE_LENGTH,
  UPGRADE_PROTOCOL,
} from '@mesh/wire/control'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createWebSocketStream, WebSocket } from 'ws'
import { startControl } from '../../src/contract/start-control.ts'
import type { ControlListener } from '../../src/node/index.ts'
import { Plain, RawMachine, readUntil, serverKey } from './raw-client.ts'

let control: ControlListener
const open: (() => void)[] = []

beforeEach(async () => {
  control = await startControl()
})

afterEach(async () => {
  for (const close of open.splice(0)) close()
  await control.close()
})

function initiate(
  machine: RawMachine,
  controlPublic: Uint8Array,
): NonNullable<ReturnType<typeof controlInitiate>> {
  const initiation = controlInitiate({
    crypto: nodeCrypto,
    random: systemRandom,
    version: CAPABILITY_VERSION,
    machinePrivate: machine.machinePrivate,
    controlPublic,
  })
  if (!initiation) throw new Error('no initiation')
  return initiation
}

function webSocket(message: Uint8Array, protocols: string[]): WebSocket {
  const handshake = Buffer.from(encodeInitiation(CAPABILITY_VERSION, message)).toString('base64')
  const query = new URLSearchParams({ 'X-Tailscale-Handshake': handshake })
  const socket = new WebSocket(`${control.url.replace('http', 'ws')}/ts2021?${query.toString()}`, protocols)
  open.push(() => socket.terminate())
  return socket
}

/** Shakes hands over a WebSocket; returns HTTP/2 inside Noise, and whether anything came between the two. */
async function connectMachine(machine: RawMachine): Promise<ClientHttp2Session> {
  const initiation = initiate(machine, await serverKey(control.url))
  const stream = createWebSocketStream(webSocket(initiation.message, [UPGRADE_PROTOCOL]))
  const held = await readUntil(stream, new Uint8Array(0), (bytes) => bytes.length >= RESPONSE_LENGTH)
  const frame = decodeNoiseFrame(held)
  if (!frame || frame === 'short') throw new Error('bad frame')
  const session = initiation.readResponse(frame.body)
  if (!session) throw new Error('bad response')
  const transport = new RecordTransport(session.send, session.receive)
  transport.feed(held.subarray(RESPONSE_LENGTH))
  // An early payload would be read as HTTP/2 here, and break it.
  const http2 = connectHttp2('http://unused', {
    createConnection: () => new Plain(stream, transport, new Uint8Array(0)),
  })
  open.push(() => http2.destroy())
  return http2
}

test('control 10: a machine registers over a WebSocket, on which no early payload is sent', async () => {
  await control.admin({ verb: 'users create', name: 'ann' })
  const { key } = await control.admin({ verb: 'preauthkeys create', user: 'ann' })
  const machine = new RawMachine()
  const http2 = await connectMachine(machine)
  const { status, body } = await machine.register(http2, { Auth: { AuthKey: key } })
  expect(status).toBe(200)
  expect(JSON.parse(body.toString())).toMatchObject({ MachineAuthorized: true })
})

test('control 10: a WebSocket without the subprotocol is closed with 1008', async () => {
  const { message } = initiate(new RawMachine(), await serverKey(control.url))
  // The client would hang up by itself on an answer without a protocol, had it asked for one.
  const code = await new Promise((resolve) => webSocket(message, []).on('close', resolve))
  expect(code).toBe(1008)
})

test('closes a WebSocket that sends text with 1003', async () => {
  const { message } = initiate(new RawMachine(), await serverKey(control.url))
  const socket = webSocket(message, [UPGRADE_PROTOCOL])
  socket.on('open', () => socket.send('hello'))
  const code = await new Promise((resolve) => socket.on('close', resolve))
  expect(code).toBe(1003)
})

test('threat 26: hangs up once, however many texts a client sends', async () => {
  const warnings: Error[] = []
  const note = (warning: Error): void => void warnings.push(warning)
  process.on('warning', note)
  const { message } = initiate(new RawMachine(), await serverKey(control.url))
  const socket = webSocket(message, [UPGRADE_PROTOCOL])
  socket.on('open', () => {
    for (let i = 0; i < 50; i += 1) socket.send('')
  })
  await new Promise((resolve) => socket.on('close', resolve))
  process.off('warning', note)
  expect(warnings).toEqual([])
})

test('tells a client over a WebSocket that it knows another key of the server', async () => {
  const { message } = initiate(new RawMachine(), generatePublic())
  const stream = createWebSocketStream(webSocket(message, [UPGRADE_PROTOCOL]))
  const held = await readUntil(stream, new Uint8Array(0), (bytes) => decodeNoiseFrame(bytes) !== 'short')
  const frame = decodeNoiseFrame(held)
  if (!frame || frame === 'short') throw new Error('bad frame')
  expect(frame.type).toBe(NOISE_FRAME.error)
  expect(new TextDecoder().decode(frame.body)).toContain('another key')
})

test('ends at once though a client that was refused over a WebSocket does not hang up', async () => {
  const { host, port, hostname } = new URL(control.url)
  const { message } = initiate(new RawMachine(), generatePublic())
  const initiation = Buffer.from(encodeInitiation(CAPABILITY_VERSION, message)).toString('base64url')
  const socket = connect(Number(port), hostname)
  open.push(() => socket.destroy())
  // It never answers the close.
  socket.write(
    `GET /ts2021?X-Tailscale-Handshake=${initiation} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\n` +
      `Connection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n` +
      `Sec-WebSocket-Protocol: ${UPGRADE_PROTOCOL}\r\n\r\n`,
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString('latin1')).toMatch(/^HTTP\/1.1 101 /)
  const ended = control.close().then(() => 'ended')
  const late = new Promise((resolve) => setTimeout(resolve, 3000, 'late').unref())
  expect(await Promise.race([ended, late])).toBe('ended')
})

test.each([
  ['no initiation', '/ts2021'],
  ['one that is none', '/ts2021?X-Tailscale-Handshake=AAAA'],
])('refuses a WebSocket with %s in its query', async (_, path) => {
  expect(await refusal(path)).toBe(400)
})

test('knows no WebSocket elsewhere', async () => {
  expect(await refusal('/elsewhere?X-Tailscale-Handshake=AAAA')).toBe(404)
})

function refusal(path: string): Promise<number | undefined> {
  const socket = new WebSocket(`${control.url.replace('http', 'ws')}${path}`, UPGRADE_PROTOCOL)
  socket.on('error', () => undefined)
  return new Promise((resolve) => {
    socket.on('unexpected-response', (request, { statusCode }) => {
      request.destroy()
      resolve(statusCode)
    })
  })
}

function generatePublic(): Uint8Array {
  return nodeCrypto.x25519Public(generatePrivateKey(systemRandom))
}
