// The control protocol's JSON: what is taken, what is refused, and that a stranger's names are only data.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeDERPMap,
  decodeFilterRule,
  decodeHostinfo,
  decodeJson,
  decodeMapMessage,
  decodeMapRequest,
  decodeMapResponse,
  decodeNode,
  decodePeerChange,
  decodeRegisterRequest,
  decodeRegisterResponse,
  decodeServerKeys,
  encodeJson,
  encodeMapResponse,
  formatTime,
  isZeroKey,
  LOGOUT_EXPIRY,
  type MapResponse,
  parseJson,
  parseTime,
  ZERO_NODE_KEY_TEXT,
  ZERO_TIME,
} from '../src/control/index.ts'
import { survives } from './support.ts'

const NODE_KEY = `nodekey:${'8f'.repeat(32)}`
const json = (text: string): unknown => parseJson(new TextEncoder().encode(text))

/** The worked exchange of the fact sheet (control §9.1). */
const FIRST_MAP = {
  Node: {
    ID: 7,
    StableID: 'n7',
    Name: 'box1.mesh.example.',
    User: 3,
    Key: NODE_KEY,
    DiscoKey: `discokey:${'77'.repeat(32)}`,
    Addresses: ['100.64.0.7/32', 'fd7a:115c:a1e0::7/128'],
    AllowedIPs: ['100.64.0.7/32', 'fd7a:115c:a1e0::7/128'],
    Hostinfo: { OS: 'linux', Hostname: 'box1' },
    Created: '2026-01-02T03:04:05Z',
    Cap: 145,
    Online: true,
    MachineAuthorized: true,
    CapMap: { 'https://tailscale.com/cap/ssh': null, 'default-auto-update': [false] },
  },
  DERPMap: {
    Regions: {
      '900': {
        RegionID: 900,
        RegionCode: 'me',
        RegionName: 'Mine',
        Nodes: [{ Name: '900a', RegionID: 900, HostName: 'derp.mesh.example', STUNPort: 3478 }],
      },
    },
  },
  Peers: [],
  DNSConfig: { Domains: ['mesh.example'], Proxied: true, FallbackResolvers: [{ Addr: '1.1.1.1' }] },
  Domain: 'mesh.example',
  CollectServices: false,
  PacketFilters: {
    base: [{ SrcIPs: ['100.64.0.8'], DstPorts: [{ IP: '100.64.0.7', Ports: { First: 22, Last: 22 } }] }],
  },
  UserProfiles: [{ ID: 3, LoginName: 'ann@example.org', DisplayName: 'Ann' }],
  SSHPolicy: { rules: [] },
  ControlTime: '2026-01-02T03:05:00.123Z',
  Debug: { DisableLogTail: true },
} as MapResponse

describe('what is taken', () => {
  test('the first map of the worked exchange comes back as it was written', () => {
    expect(decodeMapMessage(encodeMapResponse(FIRST_MAP).subarray(4))).toEqual(FIRST_MAP)
  })

  test('a register request of a real client is read, fields nobody knows left behind', () => {
    const request = {
      Version: 145,
      NodeKey: NODE_KEY,
      OldNodeKey: ZERO_NODE_KEY_TEXT,
      NLKey: `nlpub:${'51'.repeat(32)}`,
      Auth: { AuthKey: 'hskey-auth-0a1b', Oauth2Token: null },
      Expiry: ZERO_TIME,
      Followup: '',
      Hostinfo: { OS: 'linux', Hostname: 'box1', TPM: { Vendor: 'x' }, NewField: 1 },
      NodeKeySignature: null,
    }
    const { Hostinfo: _, Auth: __, ...rest } = request
    expect(decodeRegisterRequest(request)).toEqual({
      ...rest,
      Auth: { AuthKey: 'hskey-auth-0a1b' },
      Hostinfo: { OS: 'linux', Hostname: 'box1' },
    })
  })

  test('null means absent wherever it has no meaning of its own', () => {
    expect(decodeMapResponse({ Peers: null, DNSConfig: null, KeepAlive: null })).toEqual({})
    expect(decodeMapResponse({ PacketFilters: { base: null } })).toEqual({ PacketFilters: { base: null } })
    expect(decodeRegisterResponse({})?.Error).toBe('')
  })

  test('keys in capitals are read and written small', () => {
    expect(decodeNode({ ID: 1, Key: `nodekey:${'AB'.repeat(32)}` })?.Key).toBe(`nodekey:${'ab'.repeat(32)}`)
  })

  test('an explicit empty list stays, an absent one stays absent', () => {
    expect(decodePeerChange({ NodeID: 8, Endpoints: [] })).toEqual({ NodeID: 8, Endpoints: [] })
    expect(decodePeerChange({ NodeID: 8 })).toEqual({ NodeID: 8 })
    expect(decodeMapResponse({ PacketFilter: [] })).toEqual({ PacketFilter: [] })
  })

  test('a region that is null, or under another number than its own, is left out', () => {
    const region = { RegionID: 2, RegionCode: 'b', RegionName: 'B', Nodes: [] }
    expect(decodeDERPMap({ Regions: { 1: null, 2: region, 3: region } })?.Regions).toEqual({ 2: region })
    expect(decodeDERPMap({ Regions: {} })).toEqual({ Regions: {} })
    expect(decodeDERPMap({})).toEqual({})
  })
})

describe('what is refused', () => {
  test('a field of the wrong kind refuses the whole, as in Go', () => {
    expect(decodeNode({ ID: '7', Key: NODE_KEY })).toBeUndefined()
    expect(decodeNode({ ID: 7, Key: NODE_KEY, Online: 'true' })).toBeUndefined()
    expect(decodeNode({ ID: 7, Key: '8f'.repeat(32) })).toBeUndefined()
    expect(decodeNode({ ID: 0, Key: NODE_KEY })).toBeUndefined()
    expect(decodeNode({ ID: 2 ** 53, Key: NODE_KEY })).toBeUndefined()
    expect(decodeMapResponse({ Peers: [{ ID: 1 }] })).toBeUndefined()
    expect(decodeMapResponse([])).toBeUndefined()
    expect(decodeServerKeys({ publicKey: 'mkey:00' })).toBeUndefined()
  })

  test('a filter is never read more widely than it was written', () => {
    expect(decodeFilterRule({ SrcIPs: '*' })).toBeUndefined()
    expect(decodeFilterRule({ SrcIPs: ['*'], DstPorts: [{ IP: '*' }] })).toBeUndefined()
    expect(decodeFilterRule({ SrcIPs: ['*'], IPProto: ['6'] })).toBeUndefined()
    expect(decodeFilterRule({ DstPorts: [] })?.SrcIPs).toEqual([])
  })

  test('a request without a version or a node key is none', () => {
    expect(decodeRegisterRequest({ NodeKey: NODE_KEY })).toBeUndefined()
    expect(decodeMapRequest({ Version: 145 })).toBeUndefined()
  })
})

describe("a stranger's names are only data", () => {
  test('threat 34: __proto__ never gets past a decoder, at any depth', () => {
    const poisoned = json(
      `{"ID":7,"Key":"${NODE_KEY}","__proto__":{"Online":true},
        "CapMap":{"__proto__":["x"],"a":[{"__proto__":{"admin":true},"b":1}]},
        "Hostinfo":{"__proto__":{"Hostname":"evil"},"\\u005f_proto__":{"OS":"evil"}}}`,
    )
    const node = decodeNode(poisoned)!
    expect(node.Online).toBeUndefined()
    expect(node.Hostinfo).toEqual({})
    expect(node.Hostinfo?.Hostname).toBeUndefined()
    expect(Object.keys(node.CapMap!)).toEqual(['a'])
    expect(Object.hasOwn(node.CapMap!['a']![0] as object, '__proto__')).toBe(false)
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
  })

  test('threat 34: a capability nested ten thousand deep is refused, one of a few levels is kept', () => {
    const capability = (depth: number): unknown =>
      json(`{"ID":7,"Key":"${NODE_KEY}","CapMap":{"a":[${'['.repeat(depth)}${']'.repeat(depth)}]}}`)
    expect(decodeNode(capability(10_000))).toBeUndefined()
    expect(JSON.stringify(decodeNode(capability(8))?.CapMap)).toContain('[[[[[[[[]]]]]]]]')
  })

  test('threat 34: a capability or suffix named like a method is not found unless it is there', () => {
    const node = decodeNode({ ID: 7, Key: NODE_KEY, CapMap: { real: null } })!
    expect(node.CapMap!['constructor']).toBeUndefined()
    expect(node.CapMap!['toString']).toBeUndefined()
    expect('real' in node.CapMap!).toBe(true)
  })

  test('bytes that are no JSON, or no UTF-8, are nothing', () => {
    expect(parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toBeUndefined()
    expect(decodeJson(new Uint8Array(0), decodeHostinfo)).toBeUndefined()
    const deep = new TextEncoder().encode('['.repeat(200_000))
    expect(parseJson(deep)).toBeUndefined()
  })

  test('any JSON at all is taken or refused, never thrown at', () => {
    const decoders = [decodeMapResponse, decodeRegisterRequest, decodeMapRequest, decodeNode, decodeDERPMap]
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...decoders), (value, decode) => {
        expect(() => decode(value)).not.toThrow()
      }),
    )
  })

  test('damaged maps never throw', () => {
    const message = encodeMapResponse(FIRST_MAP).subarray(4)
    expect(survives(fc.constant(message), (bytes) => decodeMapMessage(bytes))).toBe(true)
  })
})

describe('times and keys', () => {
  test('the zero time is no time, and the logout expiry is long past', () => {
    expect(parseTime(ZERO_TIME)).toBeUndefined()
    expect(parseTime(undefined)).toBeUndefined()
    expect(parseTime(LOGOUT_EXPIRY)).toBe(123_000)
    expect(formatTime(undefined)).toBe(ZERO_TIME)
  })

  test('nanoseconds and zones are read, sloppy times are not', () => {
    expect(parseTime('2026-01-02T03:04:05.123456789Z')).toBe(Date.UTC(2026, 0, 2, 3, 4, 5, 123))
    expect(parseTime('2026-01-02T03:04:05+01:00')).toBe(Date.UTC(2026, 0, 2, 2, 4, 5))
    expect(parseTime('2026-01-02 03:04:05')).toBeUndefined()
    expect(parseTime('2026-13-02T03:04:05Z')).toBeUndefined()
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), (time) => {
        expect(parseTime(formatTime(time))).toBe(time)
      }),
    )
  })

  test('a key of zeros is none', () => {
    expect(isZeroKey(ZERO_NODE_KEY_TEXT)).toBe(true)
    expect(isZeroKey(undefined)).toBe(true)
    expect(isZeroKey(NODE_KEY)).toBe(false)
  })

  test('JSON leaves out what is undefined', () => {
    expect(new TextDecoder().decode(encodeJson({ a: undefined, b: null }))).toBe('{"b":null}')
  })
})
