// A gateway that maps ports on request, as its clients see it: bytes out of RFC 6886 and RFC 6887.
import { type Endpoint, formatEndpoint } from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import { PORT_MAPPING_PORT, SimNet, type SimNat, type SimSocket } from '../src/index.ts'
import { listen } from './support.ts'

const hex = (bytes: Uint8Array | undefined): string =>
  bytes === undefined ? '' : Buffer.from(bytes).toString('hex')

function home(portMapping: 'nat-pmp' | 'pcp', isolated = false) {
  const net = new SimNet()
  const nat = net.nat({ portMapping, isolated })
  const host = net.host({ behind: nat })
  const server = listen(host, 41_641)
  return { net, nat, host, server, socket: host.socket(), stranger: listen(net.host(), 9) }
}

/** Sends a request to the gateway and returns the answer. */
function request(net: SimNet, socket: SimSocket, gateway: Endpoint, text: string): Uint8Array | undefined {
  let answer: Uint8Array | undefined
  socket.onDatagram = (bytes) => {
    answer = bytes
  }
  socket.send(gateway, Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex')))
  net.clock.advanceBy(100)
  return answer
}

const gatewayOf = (nat: SimNat): Endpoint => ({ address: nat.gateway!, port: PORT_MAPPING_PORT })
const portAt = (bytes: Uint8Array, at: number): number => bytes[at]! * 256 + bytes[at + 1]!

describe('NAT-PMP', () => {
  test('tells the outside address and its epoch in seconds', () => {
    const { net, nat, socket } = home('nat-pmp')
    net.clock.advanceBy(5_000)
    expect(hex(request(net, socket, gatewayOf(nat), '00 00'))).toBe('0080000000015185cb007101')
  })

  test('maps the port asked for, lets strangers in by it, and sends the answers out by it', () => {
    const { net, nat, server, socket, stranger } = home('nat-pmp')
    const answer = request(net, socket, gatewayOf(nat), '00 01 0000 a2a9 c350 00001c20')!
    expect(hex(answer)).toBe('0081000000015180a2a9c35000001c20')
    const mapped = { address: nat.address, port: portAt(answer, 10) }
    stranger.say(mapped, 'hello')
    net.clock.advanceBy(100)
    expect(server.seen).toEqual(['hello from 203.0.113.2:9'])
    server.say({ address: Uint8Array.of(203, 0, 113, 2), port: 9 }, 'back')
    net.clock.advanceBy(100)
    expect(stranger.seen).toEqual([`back from ${formatEndpoint(mapped)}`])
  })

  test('ends a mapping when its lifetime is over, when it is taken back, and by a restart', () => {
    const { net, nat, server, socket, stranger } = home('nat-pmp')
    const mapped = { address: nat.address, port: 50_000 }
    const map = (seconds: string) => request(net, socket, gatewayOf(nat), `00 01 0000 a2a9 c350 ${seconds}`)
    const knocks = (): boolean => {
      const before = server.seen.length
      stranger.say(mapped, 'x')
      net.clock.advanceBy(100)
      return server.seen.length > before
    }
    map('0000000a')
    expect(knocks()).toBe(true)
    net.clock.advanceBy(10_000)
    expect(knocks()).toBe(false)
    map('00001c20')
    map('00000000')
    expect(knocks()).toBe(false)
    map('00001c20')
    nat.reset()
    expect(knocks()).toBe(false)
    expect(hex(request(net, socket, gatewayOf(nat), '00 00'))).toMatch(/^0080000000000000/)
  })

  test('is spoken to guests that may not speak to each other', () => {
    const { net, nat, socket } = home('nat-pmp', true)
    expect(hex(request(net, socket, gatewayOf(nat), '00 00'))).toMatch(/^0080000000015180/)
  })

  test('refuses PCP by its version', () => {
    const { net, nat, socket } = home('nat-pmp')
    expect(hex(request(net, socket, gatewayOf(nat), '02 00'.padEnd(68, '0')))).toBe('0080000100015180')
  })
})

describe('PCP', () => {
  const NONCE = '0102030405060708090a0b0c'
  const CLIENT = '00000000000000000000ffffc0a80001'

  test('announces itself, and maps', () => {
    const { net, nat, server, socket, stranger } = home('pcp')
    const announced = request(net, socket, gatewayOf(nat), `02 00 0000 00000000 ${CLIENT}`)
    expect(hex(announced)).toBe(`028000000000000000015180${'0'.repeat(24)}`)
    const any = '00000000000000000000ffff00000000'
    const asked = `02 01 0000 00001c20 ${CLIENT} ${NONCE} 11000000 a2a9 c350 ${any}`
    const answer = request(net, socket, gatewayOf(nat), asked)!
    expect(hex(answer)).toBe(
      `0281000000001c2000015180${'0'.repeat(24)}${NONCE}11000000a2a9c35000000000000000000000ffffcb007101`,
    )
    stranger.say({ address: nat.address, port: 50_000 }, 'hello')
    net.clock.advanceBy(100)
    expect(server.seen.length).toBe(1)
  })

  test('refuses NAT-PMP by its version', () => {
    const { net, nat, socket } = home('pcp')
    expect(hex(request(net, socket, gatewayOf(nat), '00 00'))).toMatch(/^00800001/)
  })
})

test('nobody answers at a NAT that maps no ports', () => {
  const net = new SimNet()
  const host = net.host({ behind: net.nat() })
  expect(host.gateway).toBeUndefined()
})
