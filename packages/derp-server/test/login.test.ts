// How a client comes in: the greeting, the proof of its key, and everything that keeps it out.
import { expect, test } from 'vitest'
import {
  encodeFrame,
  encodeSendPacket,
  FRAME_CLIENT_INFO,
  FRAME_RECV_PACKET,
  FRAME_SERVER_INFO,
  FRAME_SERVER_KEY,
} from '@mesh/wire/derp'
import { dataPacket, loginFrame, RELAY_PRIVATE_KEY, RelayBench } from './support.ts'

/** Appendix A.3 of data-plane.md. */
const SERVER_KEY_FRAME =
  '010000002844455250f09f94911cf579aba45a10ba1d1ef06d91fca2aa9ed0a1150515653155405d0b18cb9a67'
const CLIENT_INFO_FRAME =
  '02000000687b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13' +
  '000102030405060708090a0b0c0d0e0f1011121314151617' +
  'a51c9377aeedee6222f778a86b5ced60df12ae45bf8dfe8b00f0636a0451c4dcc06890ced2b260c5e00e9d14d4303293'

test('S6: the first frame is ServerKey, byte for byte as in appendix A.3', () => {
  const bench = new RelayBench()
  const outputs = []
  bench.relay.handleConnect(0)
  for (let output = bench.relay.poll(); output !== undefined; output = bench.relay.poll())
    outputs.push(output)
  expect(outputs).toHaveLength(1)
  expect(outputs[0]?.kind === 'write' && Buffer.from(outputs[0].bytes).toString('hex')).toBe(SERVER_KEY_FRAME)
  expect(RELAY_PRIVATE_KEY[0]).toBe(0x77)
})

test('S6: the ClientInfo of appendix A.3 logs in, and ServerInfo opens to version 2', () => {
  const client = new RelayBench().connect(0x11)
  client.say(Buffer.from(CLIENT_INFO_FRAME, 'hex'))
  expect(client.frames.map((frame) => frame.type)).toEqual([FRAME_SERVER_KEY, FRAME_SERVER_INFO])
  expect(client.serverInfo()).toEqual({ version: 2 })
  expect(client.closed).toBeUndefined()
})

test('S4: frames glued behind the login are not lost', () => {
  const bench = new RelayBench()
  const bob = bench.connect(2).login()
  const alice = bench.connect(1)
  const login = loginFrame(new Uint8Array(32).fill(1), bench.relay.publicKey)
  alice.say(Buffer.concat([login, encodeSendPacket({ destination: bob.key, packet: dataPacket(7) })]))
  expect(bob.got(FRAME_RECV_PACKET)).toHaveLength(1)
})

test('a login that comes byte by byte is the same login', () => {
  const bench = new RelayBench()
  const client = bench.connect(1)
  for (const byte of loginFrame(new Uint8Array(32).fill(1), bench.relay.publicKey))
    client.say(Uint8Array.of(byte))
  expect(client.serverInfo()).toEqual({ version: 2 })
})

test('S5: a client that does not log in within 10 s is closed and told nothing', () => {
  const bench = new RelayBench()
  const client = bench.connect(1)
  bench.advance(9_999)
  expect(client.closed).toBeUndefined()
  bench.advance(1)
  expect(client.closed).toBe('login-timeout')
  expect(client.frames).toHaveLength(1)
})

test.each([
  ['of a length no ClientInfo has', encodeFrame(FRAME_CLIENT_INFO, new Uint8Array(40))],
  ['whose box does not open', loginFrame(new Uint8Array(32).fill(1), new Uint8Array(32).fill(9))],
  ['with an all-zero key', encodeFrame(FRAME_CLIENT_INFO, new Uint8Array(120))],
  ['that is another frame', encodeSendPacket({ destination: new Uint8Array(32), packet: dataPacket(1) })],
])('S5: a first frame %s closes the connection without a word', (_what, frame) => {
  const bench = new RelayBench()
  const client = bench.connect(1)
  client.say(frame)
  expect(client.closed).toBe('bad-login')
  expect(client.frames).toHaveLength(1)
  expect(bench.relay.stats).toMatchObject({ refused: 1, connections: 0, clients: 0 })
})

test('threat 26: a ClientInfo that claims more than 256 KiB is refused by its header alone', () => {
  const client = new RelayBench().connect(1)
  client.say(Uint8Array.of(FRAME_CLIENT_INFO, 0, 4, 0, 1))
  expect(client.closed).toBe('bad-frame')
})

test('S19, threat 29: a key that the admission refuses is cut without a frame', () => {
  const bench = new RelayBench({ admission: true })
  const client = bench.connect(1, '192.0.2.1').login()
  expect(bench.admissions).toMatchObject([{ nodeKey: client.key, source: '192.0.2.1' }])
  expect(client.frames).toHaveLength(1)
  bench.admit(client.id, false)
  expect(client.closed).toBe('not-admitted')
  expect(client.frames).toHaveLength(1)
})

test('S19: an admitted client finds what it sent meanwhile delivered', () => {
  const bench = new RelayBench({ admission: true })
  const bob = bench.connect(2).login()
  bench.admit(bob.id, true)
  const alice = bench.connect(1).login()
  alice.send(bob, dataPacket(1))
  alice.send(bob, dataPacket(2))
  expect(bob.got(FRAME_RECV_PACKET)).toHaveLength(0)
  bench.admit(alice.id, true)
  expect(bob.got(FRAME_RECV_PACKET).map((payload) => payload[32])).toEqual([1, 2])
})

test('S19, threat 29: an admission that does not answer within 10 s is a no', () => {
  const bench = new RelayBench({ admission: true })
  const client = bench.connect(1).login()
  bench.advance(10_000)
  expect(client.closed).toBe('login-timeout')
  bench.admit(client.id, true)
  expect(bench.relay.stats.clients).toBe(0)
})

test('threat 26: what a client sends while it waits for its admission is bounded', () => {
  const bench = new RelayBench({ admission: true })
  const client = bench.connect(1).login()
  for (let i = 0; i < 3; i += 1) client.say(new Uint8Array(60_000))
  expect(client.closed).toBe('too-much')
})
