// The way in, byte by byte, with keys that are known beforehand: the vector of control-protocol.md 2.3, every key of which is
// one byte repeated.
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { nodeCrypto } from '@mesh/noise/node'
import { afterEach, expect, test } from 'vitest'
import { NoiseDoor } from '../../src/node/noise-door.ts'

const all = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const INITIATION =
  '00910100607b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f1399b043e7b583a167d9be715032da9e' +
  '2927b7e2c9a753dcf4c93208099e873892649c51311edda9d6ea0dfcbad8274c46528d822032a2286b96af6cee64cb763b'
const RESPONSE =
  '0200307b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b145fa0650c99034c80742fb89cf64f6932'
const MACHINE = 'mkey:0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20'

const machines: string[] = []
const door = new NoiseDoor({
  responder: { privateKey: all(0x44), crypto: nodeCrypto, random: () => all(0x33) },
  addressOf: () => '192.0.2.1',
  onConnection: ({ machineKey }) => void machines.push(machineKey),
})
const server = createServer()
server.on('upgrade', (request, socket, head) => door.handleUpgrade(request, socket as Socket, head))
let client: Socket

afterEach(() => {
  client.destroy()
  server.close()
})

test('control 2: the known initiation by POST /ts2021 gets the known response, and names the machine', async () => {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let answer = Buffer.alloc(0)
  client.on('data', (chunk: Buffer) => (answer = Buffer.concat([answer, chunk])))
  const handshake = Buffer.from(INITIATION, 'hex').toString('base64')
  client.write(
    'POST /ts2021 HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: tailscale-control-protocol\r\n' +
      `X-Tailscale-Handshake: ${handshake}\r\nContent-Length: 0\r\n\r\n`,
  )
  const head =
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n\r\n'
  await expect.poll(() => answer.length).toBeGreaterThanOrEqual(head.length + 51)
  expect(answer.subarray(0, head.length).toString('latin1')).toBe(head)
  expect(answer.subarray(head.length, head.length + 51).toString('hex')).toBe(RESPONSE)
  // The early payload is the first record.
  expect(answer[head.length + 51]).toBe(4)
  expect(machines).toEqual([MACHINE])
})
