import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigError, changeFor, formatKey, parseConfig } from '../../src/plain/index.ts'

const KEY = formatKey(new Uint8Array(32).fill(1))
const PEER = formatKey(new Uint8Array(32).fill(2))
const SHARED = formatKey(new Uint8Array(32).fill(3))

/** The code of the error a text makes; what is no ConfigError is thrown on. */
function errorOf(text: string): ConfigError | undefined {
  try {
    parseConfig(text)
    return undefined
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

describe('a file of wg-quick', () => {
  test('reads whole: every key, any case, comments, lists and bare addresses', () => {
    const config = parseConfig(`
      # at home
      [Interface]
      PrivateKey = ${KEY}   # secret
      listenport=51820
      FwMark = 0xca6c
      Address = 10.0.0.1/24, fd00::1
      MTU = 1380
      DNS = 10.0.0.53
      PostUp = iptables -A FORWARD -i %i -j ACCEPT

      [Peer]
      PublicKey = ${PEER}
      PresharedKey = ${SHARED}
      AllowedIPs = 10.0.0.2, fd00::/64
      AllowedIPs = 192.168.0.0/16
      Endpoint = vpn.example.net:51820
      PersistentKeepalive = 25

      [Peer]
      PublicKey = ${SHARED}
      AllowedIPs =
      Endpoint = [2001:db8::1]:1
      PersistentKeepalive = off
    `)
    expect(config).toEqual({
      privateKey: KEY,
      listenPort: 51_820,
      fwmark: 0xca6c,
      addresses: ['10.0.0.1/24', 'fd00::1/128'],
      mtu: 1380,
      unused: ['DNS', 'PostUp'],
      peers: [
        {
          publicKey: PEER,
          presharedKey: SHARED,
          allowedIps: ['10.0.0.2/32', 'fd00::/64', '192.168.0.0/16'],
          endpoint: 'vpn.example.net:51820',
          persistentKeepalive: 25,
        },
        { publicKey: SHARED, allowedIps: [], endpoint: '[2001:db8::1]:1', persistentKeepalive: 0 },
      ],
    })
  })

  test.each([
    ['[Interface]\nPrivateKey = short', 'line 2: PrivateKey: not a key, which is 44 characters of base64'],
    ['[Interface]\nListenPort = 65536', 'line 2: ListenPort: not a whole number from 0 to 65535: 65536'],
    ['[Interface]\nListenPort = -1', 'line 2: ListenPort: not a whole number: "-1"'],
    ['[Interface]\nColour = red', 'line 2: there is no Colour in [interface]'],
    ['[Interface]\nPrivateKey', 'line 2: not of the form Key = value'],
    ['[Elsewhere]', 'line 1: there is no section [Elsewhere]'],
    ['MTU = 1', 'line 1: MTU stands before [Interface] or [Peer]'],
    ['\n[Peer]\nAllowedIPs = 10.0.0.0/8', 'line 2: the peer has no PublicKey'],
    [
      `[Peer]\nPublicKey = ${PEER}\nAllowedIPs = 10.0.0.0/33`,
      'line 3: AllowedIPs: not an address or a range: "10.0.0.0/33"',
    ],
    [`[Peer]\nPublicKey = ${PEER}\nEndpoint = nowhere`, 'line 3: Endpoint: not host:port: "nowhere"'],
    [`[Peer]\nPublicKey = ${PEER}\nEndpoint = a:70000`, 'line 3: Endpoint: not host:port: "a:70000"'],
  ])('refuses %j in one sentence with the line', (text, message) => {
    expect(() => parseConfig(text)).toThrow(ConfigError)
    expect(() => parseConfig(text)).toThrow(message)
  })

  test('never says a key in its errors, and throws nothing else whatever it is given', () => {
    const words = fc.constantFrom(
      '[Interface]',
      '[Peer]',
      '=',
      '\n',
      'PrivateKey',
      'AllowedIPs',
      'Endpoint',
      ':',
      '/',
      KEY,
      ',',
      '#',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string({ maxLength: 5 })), { maxLength: 30 }), (parts) => {
        const error = errorOf(parts.join(''))
        expect([undefined, 'ERR_WIREGUARD_CONFIG']).toContain(error?.code)
        expect(error?.message ?? '').not.toContain(KEY.slice(0, 43))
      }),
    )
    for (const line of [KEY, `PrivateKey: ${KEY}`, `Endpoint = ${KEY}`, `AllowedIPs = ${KEY}`, `[${KEY}]`]) {
      expect(errorOf(`[Peer]\nPublicKey = ${PEER}\n${line}`)?.message).toMatch(/^line 3: .*\(a key\)/)
    }
    expect(() => parseConfig(`[Interface]\nPrivateKey = ${KEY}x`)).toThrow(
      /^line 2: PrivateKey: not a key, which is 44 characters of base64$/,
    )
  })
})

describe('settings in text', () => {
  test('name the one that does not read', () => {
    const peer = { publicKey: PEER, allowedIps: ['10.0.0.2'] }
    expect(() => changeFor({ privateKey: 'x' })).toThrow('privateKey: not a key')
    expect(() => changeFor({ listenPort: 1.5 })).toThrow(RangeError)
    expect(() => changeFor({ peers: [peer, { ...peer, publicKey: '' }] })).toThrow('peers[1].publicKey')
    expect(() => changeFor({ peers: [{ ...peer, allowedIps: ['10.0.0.2', 'x'] }] })).toThrow(
      'peers[0].allowedIps[1]',
    )
    expect(() => changeFor({ peers: [{ ...peer, endpoint: 'x' }] })).toThrow('peers[0].endpoint')
    expect(() => changeFor({ peers: [{ ...peer, persistentKeepalive: 70_000 }] })).toThrow(
      'peers[0].persistentKeepalive',
    )
  })
})
