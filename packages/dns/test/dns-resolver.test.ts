import { describe, expect, test } from 'vitest'
import { DnsResolver, reverseNameOf, SERVICE_NAME } from '../src/index.ts'
import { answerOf, ask, ip, NETWORK, networkResolver, query } from './support.ts'

describe('names of the mesh (F8)', () => {
  test('a full name has one A record that may be kept for 5 seconds, authoritative, recursion offered', () => {
    const answer = answerOf(networkResolver().handleQuery(query('laptop.tail1234.ts.net')))
    expect(answer).toMatchObject({
      id: 0x1234,
      rcode: 'NOERROR',
      flag_qr: true,
      flag_aa: true,
      flag_rd: true,
      flag_ra: true,
    })
    expect(answer.answers).toMatchObject([
      { name: 'laptop.tail1234.ts.net', type: 'A', ttl: 5, data: '100.64.0.2' },
    ])
  })

  test('the name comes back as it was asked, upper case and all', () => {
    const answer = answerOf(networkResolver().handleQuery(query('LapTop.Tail1234.TS.net')))
    expect(answer.questions[0]?.name).toBe('LapTop.Tail1234.TS.net')
    expect(answer.answers[0]).toMatchObject({ name: 'LapTop.Tail1234.TS.net', data: '100.64.0.2' })
  })

  test('a bare name resolves while MagicDNS is on, and is asked elsewhere while it is off', () => {
    expect(ask(networkResolver(), 'laptop')).toBe('A 100.64.0.2')
    const { nodes, routes } = NETWORK
    expect(ask(new DnsResolver({ nodes, routes }), 'laptop')).toBe('forward 9.9.9.9')
  })

  test('AAAA is empty where there is an IPv4 address, unless both families are wanted', () => {
    expect(ask(networkResolver(), 'laptop', 'AAAA')).toBe('no data')
    expect(ask(networkResolver({ bothFamilies: true }), 'laptop', 'AAAA')).toBe('AAAA fd7a:115c:a1e0::2')
    expect(ask(networkResolver({ bothFamilies: true }), 'laptop', 'A')).toBe('A 100.64.0.2')
  })

  test('a node with IPv6 alone always has an AAAA record, and so has everyone for a node that has no IPv4 itself', () => {
    expect(ask(networkResolver(), 'box', 'AAAA')).toBe('AAAA fd7a:115c:a1e0::3')
    expect(ask(networkResolver(), 'box', 'A')).toBe('no data')
    expect(ask(networkResolver({ selfHasIpv4: false }), 'laptop', 'AAAA')).toBe('AAAA fd7a:115c:a1e0::2')
    expect(ask(networkResolver({ selfHasIpv4: false }), 'laptop', 'A')).toBe('no data')
  })

  test('ANY gives the first address, other types nothing, and zone questions are not implemented', () => {
    const types = ['ANY', 'TXT', 'MX', 'NS', 'SOA', 'HINFO']
    expect(types.map((type) => ask(networkResolver(), 'laptop', type))).toEqual([
      'A 100.64.0.2',
      'no data',
      'no data',
      'NOTIMP',
      'NOTIMP',
      'NOTIMP',
    ])
  })

  test('a node that answers for its subdomains does, another does not', () => {
    expect(ask(networkResolver(), 'www.box.tail1234.ts.net', 'AAAA')).toBe('AAAA fd7a:115c:a1e0::3')
    expect(ask(networkResolver(), 'a.b.box.tail1234.ts.net', 'AAAA')).toBe('AAAA fd7a:115c:a1e0::3')
    expect(ask(networkResolver(), 'www.laptop.tail1234.ts.net')).toBe('NXDOMAIN')
  })

  test('a name below such a node that is none does not exist, and every answer can be read (threat 15)', () => {
    const labels = [new Uint8Array(63).fill(0xff), Uint8Array.of(0), text('a.'), text('..'), text('a b')]
    for (const label of labels) {
      const plain = query('x.box.tail1234.ts.net', 'AAAA')
      const asked = Uint8Array.from([...plain.subarray(0, 12), label.length, ...label, ...plain.subarray(14)])
      const { rcode, answers } = answerOf(networkResolver().handleQuery(asked))
      expect([rcode, answers.length]).toEqual(['NXDOMAIN', 0])
    }
  })

  test('records added by hand come first, add up, and are answered here even outside the suffix', () => {
    const extra = [
      { name: 'db.corp.example', address: ip('10.0.0.5') },
      { name: 'db.corp.example', address: ip('fd00::5') },
      { name: 'laptop.tail1234.ts.net', address: ip('10.0.0.6') },
    ]
    const resolver = networkResolver({ extra })
    expect(ask(resolver, 'db.corp.example')).toBe('A 10.0.0.5')
    expect(ask(resolver, 'db.corp.example', 'AAAA')).toBe('AAAA fd00::5')
    expect(ask(resolver, 'x.db.corp.example')).toBe('NXDOMAIN')
    expect(ask(resolver, 'laptop.tail1234.ts.net')).toBe('A 10.0.0.6')
  })

  test('new records replace the old ones, and names that are none are left out and counted (threat 15)', () => {
    const resolver = networkResolver()
    const bad = ['a b', 'x"y', '$(id)', 'n\nl', `${'l'.repeat(64)}.x`, '', '-a', 'ü.example'].map((name) => ({
      name,
      addresses: [ip('100.64.0.9')],
    }))
    expect(
      resolver.setRecords({ nodes: [...bad, { name: 'new.example', addresses: [ip('100.64.0.8')] }] }),
    ).toBe(bad.length)
    expect(ask(resolver, 'new.example')).toBe('A 100.64.0.8')
    expect(ask(resolver, 'laptop.tail1234.ts.net')).toBe('SERVFAIL')
  })
})

describe('names that are not there (F8)', () => {
  test('inside the suffix do not exist, which may be kept for 10 seconds', () => {
    const answer = answerOf(networkResolver().handleQuery(query('nobody.tail1234.ts.net')))
    expect(answer.rcode).toBe('NXDOMAIN')
    expect(answer.authorities).toMatchObject([
      { name: 'tail1234.ts.net', type: 'SOA', ttl: 10, data: { minimum: 10 } },
    ])
  })

  test('an empty AAAA answer carries the same start of authority', () => {
    const answer = answerOf(networkResolver().handleQuery(query('laptop.tail1234.ts.net', 'AAAA')))
    expect(answer).toMatchObject({ rcode: 'NOERROR', answers: [], authorities: [{ type: 'SOA', ttl: 10 }] })
  })

  test('outside are asked of the resolvers of the longest suffix; with none there is a failure, no silence', () => {
    const routes = [
      { suffix: '', resolvers: ['9.9.9.9'] },
      { suffix: 'corp.example.', resolvers: ['10.0.0.1', '10.0.0.2'] },
      { suffix: 'Secret.corp.example', resolvers: [] },
    ]
    const resolver = networkResolver({ routes })
    expect(ask(resolver, 'www.example.org')).toBe('forward 9.9.9.9')
    expect(ask(resolver, 'git.corp.example')).toBe('forward 10.0.0.1 10.0.0.2')
    expect(ask(resolver, 'x.secret.corp.example')).toBe('NXDOMAIN')
    expect(ask(resolver, 'evilcorp.example')).toBe('forward 9.9.9.9')
    expect(ask(networkResolver({ routes: [] }), 'www.example.org')).toBe('SERVFAIL')
  })

  test('.onion never leaves', () => {
    expect(ask(networkResolver(), 'abc.onion')).toBe('NXDOMAIN')
  })
})

describe('reverse names (F8)', () => {
  const ptr = (address: string): string => ask(networkResolver(), reverseNameOf(ip(address)), 'PTR')

  test('of nodes, of both families, of addresses made from IPv4 ones, and of the service', () => {
    expect(ptr('100.64.0.2')).toBe('PTR laptop.tail1234.ts.net')
    expect(ptr('fd7a:115c:a1e0::3')).toBe('PTR box.tail1234.ts.net')
    expect(ptr('fd7a:115c:a1e0:ab12:4843:cd96:6240:2')).toBe('PTR laptop.tail1234.ts.net')
    expect(ptr('100.100.100.100')).toBe(`PTR ${SERVICE_NAME}`)
    expect(ptr('fd7a:115c:a1e0::53')).toBe(`PTR ${SERVICE_NAME}`)
  })

  test('of the mesh that nobody has do not exist, all others are forwarded', () => {
    expect(ptr('100.64.9.9')).toBe('NXDOMAIN')
    expect(ptr('100.127.9.9')).toBe('NXDOMAIN')
    expect(ptr('fd7a:115c:a1e0::99')).toBe('NXDOMAIN')
    expect(ptr('100.128.0.1')).toBe('forward 9.9.9.9')
    expect(ptr('8.8.8.8')).toBe('forward 9.9.9.9')
    expect(ask(networkResolver(), '999.1.1.1.in-addr.arpa', 'PTR')).toBe('forward 9.9.9.9')
  })

  test('that Bonjour asks of every network stay here', () => {
    expect(ask(networkResolver(), 'lb._dns-sd._udp.0.0.64.100.in-addr.arpa', 'PTR')).toBe('NXDOMAIN')
    expect(ask(networkResolver(), 'b._dns-sd._udp.example.org', 'PTR')).toBe('NXDOMAIN')
  })
})

describe('special names (F11)', () => {
  test('a via name stands for the IPv6 address of a site’s IPv4 address, vector of the spec’s A.4', () => {
    expect(ask(networkResolver(), '10-1-2-3-via-7', 'AAAA')).toBe('AAAA fd7a:115c:a1e0:b1a:0:7:a01:203')
    expect(ask(networkResolver(), '192-168-1-10-via-0xffff.tail1234.ts.net', 'AAAA')).toBe(
      'AAAA fd7a:115c:a1e0:b1a:0:ffff:c0a8:10a',
    )
    expect(ask(networkResolver(), '10-1-2-3-via-7', 'A')).toBe('no data')
    expect(ask(networkResolver(), '10-1-2-3-via-7.example.org', 'AAAA')).toBe('forward 9.9.9.9')
    expect(ask(networkResolver(), '10-1-2-300-via-7.tail1234.ts.net', 'AAAA')).toBe('NXDOMAIN')
    expect(ask(networkResolver(), '10-1-2-3-via-4294967296.tail1234.ts.net', 'AAAA')).toBe('NXDOMAIN')
  })

  test('the service has both its addresses', () => {
    expect(ask(networkResolver(), SERVICE_NAME)).toBe('A 100.100.100.100')
    expect(ask(networkResolver(), `${SERVICE_NAME}.`, 'AAAA')).toBe('AAAA fd7a:115c:a1e0::53')
  })

  test('a program that dials by name finds the same addresses, and nothing for the rest of the world', () => {
    expect(networkResolver().lookUp('LAPTOP.tail1234.ts.net.')).toEqual([ip('100.64.0.2')])
    expect(networkResolver().lookUp('laptop')).toEqual([ip('100.64.0.2')])
    expect(networkResolver().lookUp('example.org')).toBeUndefined()
  })
})

describe('odd messages', () => {
  const resolver = networkResolver()
  const change = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
    const copy = Uint8Array.from(bytes)
    copy[at] = value
    return copy
  }

  test('an answer, no question, two questions and half a question are format errors', () => {
    const good = query('laptop')
    const odd = [change(good, 2, 0x81), change(good, 5, 0), change(good, 5, 2), good.subarray(0, 15)]
    expect(odd.map((bytes) => answerOf(resolver.handleQuery(bytes)).rcode)).toEqual(Array(4).fill('FORMERR'))
  })

  test('other operations are not implemented, other classes are refused', () => {
    const update = change(query('laptop'), 2, 0x29)
    const chaos = query('version.bind', 'TXT', {
      questions: [{ name: 'version.bind', type: 'TXT', class: 'CH' }],
    })
    expect(answerOf(resolver.handleQuery(update)).rcode).toBe('NOTIMP')
    expect(answerOf(resolver.handleQuery(chaos)).rcode).toBe('REFUSED')
  })

  test('less than a header is no message and gets no answer', () => {
    expect(resolver.handleQuery(query('laptop').subarray(0, 11))).toEqual({ kind: 'drop' })
  })

  test('an answer longer than its asker takes by UDP is marked truncated and stays whole; by TCP it is not marked', () => {
    const label = 'l'.repeat(60)
    const suffix = `${label}.${label}.${label}`
    const long = `nobody.${label}.${suffix}`
    const nodes = [{ name: `x.${label}.${suffix}`, addresses: [ip('100.64.0.2')] }]
    const deep = new DnsResolver({ suffix: `${label}.${suffix}`, nodes })
    const opt = { additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [] }] }
    const plain = deep.handleQuery(query(long))
    expect(plain.kind === 'answer' && plain.message.length).toBeGreaterThan(512)
    expect(answerOf(plain)).toMatchObject({ rcode: 'NXDOMAIN', flag_tc: true })
    expect(answerOf(deep.handleQuery(query(long, 'A', opt))).flag_tc).toBe(false)
    expect(answerOf(deep.handleQuery(query(long), { transport: 'tcp' })).flag_tc).toBe(false)
  })
})

function text(letters: string): Uint8Array {
  return new TextEncoder().encode(letters)
}
