// A machine with IPv6 only, whose network translates.
import { parseAddress } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import type { DatagramListener, DatagramSocket } from '../../src/index.ts'
import { nat64PrefixOf } from '../../src/node/find-nat64.ts'
import { Nat64Sockets } from '../../src/node/nat64-sockets.ts'
import { at } from '../support.ts'

const PREFIX = parseAddress('2001:db8:64::')!.subarray(0, 12)
const OUTER = at('[2001:db8:64::cb00:7107]:5')
const INNER = at('203.0.113.7:5')

class FakeSocket implements DatagramSocket {
  readonly ports = { v4: 1, v6: 2 }
  readonly sent: unknown[] = []
  listener: DatagramListener | undefined
  listen(listener: DatagramListener): void {
    this.listener = listener
  }
  send(_bytes: Uint8Array, to: unknown): void {
    this.sent.push(to)
  }
  rebind(): Promise<void> {
    return Promise.resolve()
  }
  close(): Promise<void> {
    return Promise.resolve()
  }
}

test('IPv4 endpoints are reached behind the prefix, and heard from as what they are, one object each', () => {
  const fake = new FakeSocket()
  const sockets = new Nat64Sockets(fake)
  sockets.setPrefix(PREFIX)
  expect(sockets.ports).toEqual({ v4: 2, v6: 2, isV4Translated: true })
  sockets.send(Uint8Array.of(1), INNER)
  sockets.send(Uint8Array.of(1), INNER)
  expect(fake.sent[0]).toEqual(OUTER)
  expect(fake.sent[1]).toBe(fake.sent[0])
  const heard: unknown[] = []
  sockets.listen({ onDatagram: (_bytes, from) => heard.push(from), onTrouble: () => undefined })
  fake.listener?.onDatagram(Uint8Array.of(1), OUTER)
  fake.listener?.onDatagram(Uint8Array.of(1), OUTER)
  expect(heard[0]).toEqual(INNER)
  expect(heard[1]).toBe(heard[0])
})

test('other IPv6 endpoints, and all of them without a prefix, stay as they are', () => {
  const sockets = new Nat64Sockets(new FakeSocket())
  const other = at('[2001:db8::1]:5')
  expect(sockets.toOuter(INNER)).toBe(INNER)
  sockets.setPrefix(PREFIX)
  expect([sockets.toInner(other), sockets.toOuter(other)]).toEqual([other, other])
  expect(sockets.setPrefix(PREFIX)).toBe(false)
  expect(sockets.setPrefix(undefined)).toBe(true)
})

test('the prefix is what stands before the addresses of a name that has IPv4 only', () => {
  expect(nat64PrefixOf(['64:ff9b::c000:aa', '64:ff9b::c000:ab'])).toEqual(
    parseAddress('64:ff9b::')!.slice(0, 12),
  )
  expect(nat64PrefixOf(['2001:db8::1', 'nonsense'])).toBeUndefined()
  expect(nat64PrefixOf([])).toBeUndefined()
})
