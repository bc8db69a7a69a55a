import fc from 'fast-check'
import { parseEndpoint } from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import { formatHexKey, formatUapiStatus, UapiReader, type UapiRequest } from '../../src/plain/index.ts'
import { prefix } from '../support.ts'

const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const hex = (byte: number): string => formatHexKey(key(byte))
const read = (text: string): UapiRequest[] => new UapiReader().read(text)
const SET = `set=1
private_key=${hex(1)}
listen_port=51820
fwmark=0x10
replace_peers=true
public_key=${hex(2)}
update_only=true
preshared_key=${hex(3)}
endpoint=[fd00::1]:7
persistent_keepalive_interval=25
replace_allowed_ips=true
allowed_ip=10.0.0.0/8
allowed_ip=-10.1.0.0/16
protocol_version=1
public_key=${hex(4)}
remove=true

`

describe('the UAPI', () => {
  test('reads a request that uses every key', () => {
    expect(read(SET)).toEqual([
      {
        kind: 'set',
        change: {
          privateKey: key(1),
          listenPort: 51_820,
          fwmark: 16,
          replacePeers: true,
          peers: [
            {
              publicKey: key(2),
              updateOnly: true,
              presharedKey: key(3),
              endpoint: parseEndpoint('[fd00::1]:7'),
              keepalive: 25,
              replaceAllowedIps: true,
              allowedIps: [
                { prefix: prefix('10.0.0.0/8'), remove: false },
                { prefix: prefix('10.1.0.0/16'), remove: true },
              ],
            },
            { publicKey: key(4), remove: true, allowedIps: [] },
          ],
        },
      },
    ])
  })

  test('reads the same however the text is cut, and several requests of one conversation', () => {
    const text = `get=1\n\n${SET}get=1\n\n`
    const whole = read(text)
    expect(whole.map(({ kind }) => kind)).toEqual(['get', 'set', 'get'])
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: text.length })), (cuts) => {
        const reader = new UapiReader()
        const places = [0, ...cuts.sort((a, b) => a - b), text.length]
        const got = places.slice(1).flatMap((end, i) => reader.read(text.slice(places[i], end)))
        expect(got).toEqual(whole)
      }),
    )
  })

  test.each([
    'listen_port=65536',
    'listen_port=x',
    'private_key=00',
    'fwmark=0x100000000',
    'replace_peers=false',
    'colour=red',
    'private_key',
    `public_key=${hex(2)}\nendpoint=somewhere:1`,
    `public_key=${hex(2)}\nallowed_ip=10.0.0.0/40`,
    `public_key=${hex(2)}\nprotocol_version=2`,
    `public_key=${hex(2)}\nlisten_port=1`,
  ])('refuses all of a request with %j, and goes on with the next', (lines) => {
    expect(read(`set=1\n${lines}\n\nget=1\n\n`).map(({ kind }) => kind)).toEqual(['invalid', 'get'])
  })

  test('ends a conversation that is none, or whose lines have no end', () => {
    const reader = new UapiReader()
    expect(reader.read('GET / HTTP/1.1\r\n')).toEqual([{ kind: 'unknown' }])
    expect(reader.read('get=1\n\n')).toEqual([])
    expect(read(`set=1\n${'x'.repeat(2_000)}`)).toEqual([{ kind: 'unknown' }])
    expect(read(`set=1\n${'x'.repeat(2_000)}\n`)).toEqual([{ kind: 'unknown' }])
  })

  test('answers with what there is, times in seconds and nanoseconds', () => {
    const peer = {
      publicKey: key(2),
      presharedKey: key(3),
      endpoint: parseEndpoint('192.0.2.1:5'),
      allowedIps: [prefix('10.0.0.0/8'), prefix('fd00::/64')],
      keepalive: 25,
      lastHandshakeTime: 1_700_000_000_123.5,
      receivedBytes: 7,
      sentBytes: 8,
    }
    expect(formatUapiStatus({ privateKey: key(1), listenPort: 9, fwmark: 16, peers: [peer] })).toBe(
      `private_key=${hex(1)}
listen_port=9
fwmark=16
public_key=${hex(2)}
preshared_key=${hex(3)}
protocol_version=1
endpoint=192.0.2.1:5
last_handshake_time_sec=1700000000
last_handshake_time_nsec=123500000
tx_bytes=8
rx_bytes=7
persistent_keepalive_interval=25
allowed_ip=10.0.0.0/8
allowed_ip=fd00::/64
errno=0

`,
    )
    expect(formatUapiStatus({ privateKey: undefined, listenPort: 0, fwmark: 0, peers: [] })).toBe(
      'errno=0\n\n',
    )
  })
})
