import { parseAddress } from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import { ATTEMPT_TIMEOUT, RETRY_INTERVAL } from '../../src/portmap/port-mapper.ts'
import { DESCRIPTION, GATEWAY, Home, kindUpnp, OUTSIDE, PORT, SELF } from './fake-gateway.ts'

const HALF_LIFE = 3_600_000

describe('a gateway that speaks something', () => {
  test('NAT-PMP gives a mapping within a quarter of a second', () => {
    const home = new Home({ natPmp: {} })
    home.run(300)
    expect(home.external).toBe('203.0.113.7:50001')
    expect(home.mapper.mapping?.service).toBe('nat-pmp')
    expect(home.mapper.services).toEqual({ natPmp: true, pcp: false, upnp: false })
  })

  test('a NAT-PMP gateway that refuses PCP by its version is still used', () => {
    const home = new Home({ natPmp: { refusesPcp: true } })
    home.run(300)
    expect(home.mapper.mapping?.service).toBe('nat-pmp')
  })

  test('PCP alone gives one too', () => {
    const home = new Home({ pcp: {} })
    home.run(300)
    expect(home.external).toBe('203.0.113.7:50002')
    expect(home.mapper.services).toEqual({ natPmp: false, pcp: true, upnp: false })
  })

  test('UPnP is used where there is nothing else', () => {
    const home = new Home({ upnp: kindUpnp() })
    home.run(1_000)
    expect(home.mapper.mapping?.service).toBe('upnp')
    const added = home.fetched.find((request) => request.body.includes('AddPortMapping'))
    expect(added?.body).toContain(`<NewInternalPort>${PORT}</NewInternalPort>`)
    expect(added?.body).toContain('<NewInternalClient>192.168.1.11</NewInternalClient>')
    expect(added?.body).toContain('<NewProtocol>UDP</NewProtocol>')
  })

  test('of all three NAT-PMP is chosen, and nothing is fetched', () => {
    const home = new Home({ natPmp: {}, pcp: {}, upnp: kindUpnp() })
    home.run(1_000)
    expect(home.mapper.mapping?.service).toBe('nat-pmp')
    expect(home.fetched).toEqual([])
  })

  test.each([
    ['refuses', { result: 2 }],
    ['never answers the map request', { silentMap: true }],
    ['names loopback as its outside address', { external: parseAddress('127.0.0.1')! }],
  ])('where NAT-PMP %s, the next service is asked', (_how, natPmp) => {
    const home = new Home({ natPmp, upnp: kindUpnp() })
    home.run(3_000)
    expect(home.mapper.mapping?.service).toBe('upnp')
  })

  test('a gateway that says nothing is asked again after ten seconds, then ever more rarely', () => {
    const home = new Home({})
    home.run(9_000)
    expect(home.asked).toEqual(['pmp address', 'pcp announce'])
    home.run(5_000)
    expect(home.asked.length).toBe(4)
    home.run(3_600_000)
    home.asked.length = 0
    home.run(RETRY_INTERVAL)
    expect(home.asked.length).toBe(2)
    expect(home.events).toEqual([])
  })

  test('a no of one service does not hurry the others', () => {
    const home = new Home({ natPmp: { result: 2 }, pcp: { result: 2 } })
    home.run(500)
    expect(home.mapper.services.upnp).toBeUndefined()
  })

  test('a public gateway is no home router, and is not asked', () => {
    const home = new Home({})
    home.asked.length = 0
    home.mapper.setNetwork({ address: parseAddress('203.0.113.1')!, self: SELF }, PORT, 0)
    home.run(10_000)
    expect(home.asked).toEqual([])
  })
})

describe('the life of a mapping', () => {
  test('it is renewed at half its life, for the same port, without news', () => {
    const home = new Home({ natPmp: {} })
    home.run(HALF_LIFE + 1_000)
    expect(home.asked.filter((request) => request === 'pmp map 7200').length).toBe(2)
    expect(home.events).toEqual(['203.0.113.7:50001'])
  })

  test('when the gateway stops answering it stays until it ends, then is gone', () => {
    const home = new Home({ natPmp: {} })
    home.run(1_000)
    home.manners = {}
    home.run(2 * HALF_LIFE - 2_000)
    expect(home.external).toBeDefined()
    home.run(10_000)
    expect(home.external).toBeUndefined()
    expect(home.events).toEqual(['203.0.113.7:50001', undefined])
  })

  test('after a sleep it is asked for again at once, and one that has ended meanwhile is gone', () => {
    const home = new Home({ natPmp: {} })
    home.run(1_000)
    home.asked.length = 0
    home.wake(60_000)
    home.run(500)
    expect(home.asked).toContain('pmp map 7200')
    expect(home.events).toEqual(['203.0.113.7:50001'])
    home.manners = {}
    home.wake(2 * HALF_LIFE)
    expect(home.external).toBeUndefined()
    expect(home.events).toEqual(['203.0.113.7:50001', undefined])
  })

  test.each(['natPmp', 'pcp'] as const)(
    'a gateway that restarts (%s) is asked again within a minute or so',
    (kind) => {
      const home = new Home({ [kind]: {} })
      home.run(5 * 60_000)
      const before = home.asked.filter((request) => request.includes('map 7200')).length
      home.reboot()
      home.run(61_000)
      expect(home.asked.filter((request) => request.includes('map 7200')).length).toBe(before + 1)
    },
  )

  test.each(['natPmp', 'pcp'] as const)(
    'a gateway that restarts (%s) is asked again though the question about its epoch was lost',
    (kind) => {
      const home = new Home({ [kind]: {} })
      home.run(5 * 60_000)
      const mapRequests = (): number => home.asked.filter((request) => request.includes('map 7200')).length
      const before = mapRequests()
      home.reboot()
      home.manners = {}
      const questions = home.asked.length
      while (home.asked.length === questions) home.run(100)
      home.manners = { [kind]: {} }
      home.run(1_000)
      expect(mapRequests()).toBe(before + 1)
    },
  )

  test('a PCP gateway whose time leaps forward is another one, and is asked again', () => {
    const home = new Home({ pcp: {} })
    home.run(5 * 60_000)
    const mapRequests = (): number => home.asked.filter((request) => request === 'pcp map 7200').length
    const before = mapRequests()
    home.epochFrom -= 3_600_000
    home.run(61_000)
    expect(mapRequests()).toBe(before + 1)
    home.run(5 * 60_000)
    expect(mapRequests()).toBe(before + 1)
  })

  test('threat 13: a gateway whose epoch falls back all the time is not asked all the time', () => {
    const home = new Home({ natPmp: {} })
    home.run(5 * 60_000)
    const mapRequests = (): number => home.asked.filter((request) => request.includes('map 7200')).length
    const before = mapRequests()
    for (let second = 0; second < 60; second += 1) {
      home.reboot()
      home.hear(encodeAddressAnswer(0))
      home.run(500)
      home.hear(encodeAddressAnswer(1_000_000))
      home.run(500)
    }
    expect(mapRequests() - before).toBeGreaterThan(0)
    expect(mapRequests() - before).toBeLessThanOrEqual(6)
  })

  test('a gateway that says its epoch no more is asked for it once a minute in the end', () => {
    const home = new Home({ natPmp: {} })
    home.run(60_000)
    home.manners = {}
    home.run(20 * 60_000)
    const before = home.asked.length
    home.run(10 * 60_000)
    expect(home.asked.slice(before)).toEqual(Array.from({ length: 10 }, () => 'pmp address'))
  })

  test('another outside port is news', () => {
    const home = new Home({ natPmp: {} })
    home.run(1_000)
    home.manners = { natPmp: { port: 50_099 } }
    home.run(HALF_LIFE)
    expect(home.events).toEqual(['203.0.113.7:50001', '203.0.113.7:50099'])
  })

  test.each([
    ['natPmp', 'pmp map 0'],
    ['pcp', 'pcp map 0'],
  ] as const)('it is taken back in the end (%s)', (kind, request) => {
    const home = new Home({ [kind]: {} })
    home.run(1_000)
    home.release()
    home.run(1_000)
    expect(home.asked.at(-1)).toBe(request)
    expect(home.external).toBeUndefined()
  })

  test('a UPnP mapping is taken back too', () => {
    const home = new Home({ upnp: kindUpnp() })
    home.run(1_000)
    home.release()
    home.run(1_000)
    expect(home.fetched.at(-1)?.body).toContain('DeletePortMapping')
  })

  test('another port of ours: the old mapping is taken back, and a new one asked for', () => {
    const home = new Home({ natPmp: {} })
    home.run(1_000)
    home.usePort(PORT + 1)
    home.run(1_000)
    expect(home.asked.filter((request) => request.startsWith('pmp map'))).toEqual([
      'pmp map 7200',
      'pmp map 0',
      'pmp map 7200',
    ])
  })
})

describe('gateways by UPnP as they are', () => {
  test('only permanent leases: asked for one', () => {
    const kind = kindUpnp()
    const home = new Home({
      upnp: {
        act: (action, body) =>
          action === 'AddPortMapping' && !body.includes('Duration>0<') ? 725 : kind.act(action, body),
      },
    })
    home.run(2_000)
    expect(home.external).toBeDefined()
  })

  test('the outside port is taken: another is drawn, three times at most', () => {
    const home = new Home({
      upnp: {
        act: (action) => (action === 'AddPortMapping' ? 718 : { NewExternalIPAddress: '203.0.113.7' }),
      },
    })
    home.run(4_000)
    const ports = home.fetched.flatMap((request) => /ExternalPort>(\d+)</.exec(request.body)?.[1] ?? [])
    expect(ports.length).toBe(3)
    expect(new Set(ports).size).toBe(3)
  })

  test('version 2 chooses the port, and we tell that one', () => {
    const kind = kindUpnp()
    const home = new Home({
      upnp: {
        description: DESCRIPTION.replace('Connection:1', 'Connection:2'),
        act: (action, body) =>
          action === 'AddAnyPortMapping' ? { NewReservedPort: '6000' } : kind.act(action, body),
      },
    })
    home.run(2_000)
    expect(home.external).toBe('203.0.113.7:6000')
  })

  test('of two lines the one that is up and public is used', () => {
    const second = DESCRIPTION.replace('/ctl/IPConn', '/ctl/down').replace(
      '</service></serviceList>',
      '</service><service><serviceType>urn:schemas-upnp-org:service:WANPPPConnection:1</serviceType><controlURL>/ctl/up</controlURL></service></serviceList>',
    )
    const home = new Home({
      upnp: {
        description: second,
        act: (action, body) => {
          if (action === 'GetStatusInfo')
            return { NewConnectionStatus: body.includes('PPP') ? 'Connected' : 'Disconnected' }
          return kindUpnp().act(action, body)
        },
      },
    })
    home.run(2_000)
    const added = home.fetched.find((request) => request.body.includes('AddPortMapping'))
    expect(added?.path).toBe('/ctl/up')
  })
})

describe('a malicious gateway gets nowhere', () => {
  const ELSEWHERE = [
    'http://203.0.113.66:80/desc.xml',
    'http://localhost/desc.xml',
    'http://192.168.1.2:5000/desc.xml',
    'http://192.168.1.1.evil.example/desc.xml',
    'http://192.168.1.1@203.0.113.66/desc.xml',
    'https://192.168.1.1/desc.xml',
    'file:///etc/passwd',
    'http://[::ffff:192.168.1.1]/desc.xml',
    'http://0300.0250.1.1/desc.xml',
    'http://192.168.1.1:99999/desc.xml',
  ]

  test.each(ELSEWHERE)('threat 13: a description at %s is not fetched', (location) => {
    const home = new Home({ upnp: { ...kindUpnp(), location } })
    home.run(2_000)
    expect(home.fetched).toEqual([])
    expect(home.external).toBeUndefined()
  })

  test.each(['http://203.0.113.66/ctl', '//203.0.113.66/ctl', 'http://192.168.1.1 /ctl', 'ctl\r\nHost: x'])(
    'threat 13: an action is not sent to %j',
    (control) => {
      const description = DESCRIPTION.replace('/ctl/IPConn', control)
      const home = new Home({ upnp: { ...kindUpnp(), description } })
      home.run(2_000)
      expect(home.fetched.map((request) => request.method)).toEqual(['GET'])
    },
  )

  test('threat 13: every request goes to the gateway, is limited in size and time, and a redirection ends it', () => {
    const home = new Home({
      upnp: { act: () => ({ status: 302, body: 'http://203.0.113.66/' }) },
    })
    home.run(5_000)
    for (const request of home.fetched) {
      expect(request.to.address).toEqual(GATEWAY)
      expect(request.maxLength).toBeLessThanOrEqual(64 * 1024)
      expect(request.timeout).toBeLessThanOrEqual(1_000)
    }
    expect(home.external).toBeUndefined()
  })

  test('threat 13: XML bombs, depths and nonsense give no services, and no exception', () => {
    const nested = `<a>`.repeat(30_000)
    const bomb = `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]>${DESCRIPTION.slice(21)}`
    for (const description of [nested, bomb, '', '<', '\0', '<root/>', `${DESCRIPTION}<`]) {
      const home = new Home({ upnp: { ...kindUpnp(), description } })
      home.run(2_000)
      expect(home.external).toBeUndefined()
    }
  })

  test('threat 13: an attempt ends after five seconds, however slowly a gateway answers', () => {
    const home = new Home({ natPmp: { silentMap: true } })
    home.run(ATTEMPT_TIMEOUT + 1)
    const count = home.asked.length
    home.run(4_000)
    expect(home.asked.length).toBe(count)
  })

  test('answers from others, and PCP answers without our nonce, are nothing', () => {
    const home = new Home({ pcp: { badNonce: true } })
    home.hear(Uint8Array.from([0, 0x80, 0, 0, 0, 0, 0, 1, 203, 0, 113, 66]), parseAddress('192.168.1.66'))
    home.run(3_000)
    expect(home.external).toBeUndefined()
    expect(home.mapper.services.natPmp).toBe(false)
  })

  test('threat 32: an outside address that is multicast, loopback or none is told to nobody', () => {
    for (const text of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '169.254.1.1', '240.0.0.1']) {
      const home = new Home({ natPmp: { external: parseAddress(text)! }, upnp: kindUpnp(text) })
      home.run(4_000)
      expect(`${text} ${home.external}`).toBe(`${text} undefined`)
    }
  })

  test('threat 13: lifetimes of a second are no mapping, no news, and no reason to ask all the time', () => {
    const home = new Home({ natPmp: { lifetime: 1 } })
    home.run(10 * 60_000)
    expect(home.asked.filter((request) => request.startsWith('pmp map')).length).toBeLessThanOrEqual(21)
    expect(home.events).toEqual([])
  })

  test('threat 13: a mapping for ever is believed in for a day', () => {
    const home = new Home({ natPmp: { lifetime: 0xffff_ffff } })
    home.run(1_000)
    expect(home.mapper.mapping?.expiresAt).toBeLessThanOrEqual(home.now + 24 * 3_600_000)
  })
})

/** An answer of NAT-PMP that says how long the gateway has run, and where it is. */
function encodeAddressAnswer(epoch: number): Uint8Array {
  const bytes = new Uint8Array(12)
  bytes[1] = 0x80
  new DataView(bytes.buffer).setUint32(4, epoch)
  bytes.set(OUTSIDE, 8)
  return bytes
}
