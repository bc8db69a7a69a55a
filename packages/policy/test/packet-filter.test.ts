import type { FilterRule } from '@mesh/wire/control'
import { TCP_ACK, TCP_RST, TCP_SYN } from '@mesh/wire/ip'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ALLOW_ALL_RULES, PacketFilter } from '../src/index.ts'
import { address, echo, ip, read, tcp, udp } from './packets.ts'

const ME = '100.64.0.1'
const ME6 = 'fd7a:115c:a1e0::40:1'
const PEER = '100.64.0.2'
const PEER6 = 'fd7a:115c:a1e0::40:2'
const TSMP = 99
const GRE = 47

function filterWith(rules: readonly FilterRule[]): PacketFilter {
  const filter = new PacketFilter()
  filter.setRules(rules)
  filter.setLocalPrefixes([`${ME}/32`, `${ME6}/128`])
  return filter
}

const rule = (src: string, dst: string, first: number, last = first, IPProto?: number[]): FilterRule => ({
  SrcIPs: [src],
  DstPorts: [{ IP: dst, Ports: { First: first, Last: last } }],
  ...(IPProto ? { IPProto } : {}),
})

describe('without a rule', () => {
  test('F1: established TCP, answers to pings, ICMP errors and TSMP pass', () => {
    const filter = filterWith([])
    const unreachable = ip(PEER, ME, 1, Uint8Array.of(3, 1, 0, 0, 0, 0, 0, 0))
    const passing = [
      tcp(`${PEER}:1`, `${ME}:2`, TCP_ACK),
      tcp(`${PEER}:1`, `${ME}:2`, TCP_SYN | TCP_ACK),
      tcp(`[${PEER6}]:1`, `[${ME6}]:2`, TCP_RST),
      echo(PEER, ME, 'reply'),
      echo(PEER6, ME6, 'reply'),
      unreachable,
      ip(PEER, ME, TSMP),
    ]
    expect(passing.map((packet) => filter.toOverlay(read(packet)))).toEqual(passing.map(() => 'accept'))
  })

  test('F1: a SYN, a new UDP flow, a ping and other protocols do not', () => {
    const filter = filterWith([])
    const refused = [
      tcp(`${PEER}:1`, `${ME}:2`, TCP_SYN),
      udp(`${PEER}:1`, `${ME}:2`),
      echo(PEER, ME),
      echo(PEER6, ME6),
      ip(PEER, ME, GRE),
    ]
    expect(refused.map((packet) => filter.toOverlay(read(packet)))).toEqual(refused.map(() => 'no-rule'))
    expect(filter.drops['no-rule']).toBe(5)
  })

  test('F1: a SYN to the peer API passes, nothing else to that address', () => {
    const filter = filterWith([])
    filter.setPeerApiPorts(4000, 6000)
    expect(filter.toOverlay(read(tcp(`${PEER}:1`, `${ME}:4000`, TCP_SYN)))).toBe('accept')
    expect(filter.toOverlay(read(tcp(`[${PEER6}]:1`, `[${ME6}]:6000`, TCP_SYN)))).toBe('accept')
    expect(filter.toOverlay(read(tcp(`${PEER}:1`, `${ME}:6000`, TCP_SYN)))).toBe('no-rule')
    expect(filter.toOverlay(read(udp(`${PEER}:1`, `${ME}:4000`)))).toBe('no-rule')
    filter.setPeerApiPorts(0, 0)
    expect(filter.toOverlay(read(tcp(`${PEER}:1`, `${ME}:0`, TCP_SYN)))).toBe('no-rule')
  })

  test('F2: the answer to an own datagram passes, also after the rules changed', () => {
    const filter = filterWith([])
    expect(filter.toOverlay(read(udp(`${PEER}:53`, `${ME}:999`)))).toBe('no-rule')
    expect(filter.fromOverlay(read(udp(`${ME}:999`, `${PEER}:53`)))).toBe('accept')
    filter.setRules([])
    expect(filter.toOverlay(read(udp(`${PEER}:53`, `${ME}:999`)))).toBe('accept')
    expect(filter.toOverlay(read(udp(`${PEER}:54`, `${ME}:999`)))).toBe('no-rule')
    expect(filter.toOverlay(read(udp('100.64.0.3:53', `${ME}:999`)))).toBe('no-rule')
    filter.fromOverlay(read(udp(`[${ME6}]:999`, `[${PEER6}]:53`)))
    expect(filter.toOverlay(read(udp(`[${PEER6}]:53`, `[${ME6}]:999`)))).toBe('accept')
  })

  test('F2: 512 flows are remembered, the least recently used forgotten first', () => {
    const filter = filterWith([])
    for (let port = 1; port <= 512; port += 1) filter.fromOverlay(read(udp(`${ME}:${port}`, `${PEER}:53`)))
    expect(filter.toOverlay(read(udp(`${PEER}:53`, `${ME}:1`)))).toBe('accept')
    filter.fromOverlay(read(udp(`${ME}:513`, `${PEER}:53`)))
    expect(filter.toOverlay(read(udp(`${PEER}:53`, `${ME}:2`)))).toBe('no-rule')
    for (const port of [1, 3, 512, 513]) {
      expect(filter.toOverlay(read(udp(`${PEER}:53`, `${ME}:${port}`)))).toBe('accept')
    }
  })

  test('F2: the memory of flows is that of a plain list by age', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 700 })), {
          minLength: 600,
          maxLength: 1500,
        }),
        (steps) => {
          const filter = filterWith([])
          let model: number[] = []
          for (const [outbound, port] of steps) {
            const known = model.includes(port)
            const verdict = outbound
              ? filter.fromOverlay(read(udp(`${ME}:${port}`, `${PEER}:53`)))
              : filter.toOverlay(read(udp(`${PEER}:53`, `${ME}:${port}`)))
            expect(verdict).toBe(outbound || known ? 'accept' : 'no-rule')
            if (outbound || known) model = [port, ...model.filter((each) => each !== port)].slice(0, 512)
          }
        },
      ),
      { numRuns: 10 },
    )
  })
})

describe('with rules', () => {
  test('allow-all lets in what is for this node, and nothing else', () => {
    const filter = filterWith(ALLOW_ALL_RULES)
    for (const packet of [
      tcp(`${PEER}:1`, `${ME}:22`, TCP_SYN),
      udp(`[${PEER6}]:1`, `[${ME6}]:53`),
      echo(PEER, ME),
      echo(PEER6, ME6),
    ]) {
      expect(filter.toOverlay(read(packet))).toBe('accept')
    }
    expect(filter.toOverlay(read(udp(`${PEER}:1`, '100.64.0.9:53')))).toBe('not-local')
    expect(filter.toOverlay(read(ip(PEER, ME, GRE)))).toBe('no-rule')
  })

  test('source, destination, protocol and port all count', () => {
    const filter = filterWith([rule(PEER, ME, 80, 90, [6])])
    expect(filter.toOverlay(read(tcp(`${PEER}:1`, `${ME}:80`, TCP_SYN)))).toBe('accept')
    expect(filter.toOverlay(read(tcp(`${PEER}:1`, `${ME}:90`, TCP_SYN)))).toBe('accept')
    expect(filter.toOverlay(read(tcp(`${PEER}:1`, `${ME}:79`, TCP_SYN)))).toBe('no-rule')
    expect(filter.toOverlay(read(tcp(`${PEER}:1`, `${ME}:91`, TCP_SYN)))).toBe('no-rule')
    expect(filter.toOverlay(read(udp(`${PEER}:1`, `${ME}:80`)))).toBe('no-rule')
    expect(filter.toOverlay(read(tcp('100.64.0.3:1', `${ME}:80`, TCP_SYN)))).toBe('no-rule')
  })

  test('F3: a ping passes when any rule joins the two addresses, whatever its ports', () => {
    const filter = filterWith([rule(PEER, ME, 80, 80, [6])])
    expect(filter.toOverlay(read(echo(PEER, ME)))).toBe('accept')
    expect(filter.toOverlay(read(echo('100.64.0.3', ME)))).toBe('no-rule')
  })

  test('F3: other protocols need to be named, with all ports', () => {
    expect(filterWith([rule(PEER, ME, 0, 65535, [GRE])]).toOverlay(read(ip(PEER, ME, GRE)))).toBe('accept')
    expect(filterWith([rule(PEER, ME, 1, 65535, [GRE])]).toOverlay(read(ip(PEER, ME, GRE)))).toBe('no-rule')
    expect(filterWith([rule(PEER, ME, 0, 65535)]).toOverlay(read(ip(PEER, ME, GRE)))).toBe('no-rule')
    expect(filterWith([rule(PEER, ME, 0, 65535, [300])]).toOverlay(read(udp(`${PEER}:1`, `${ME}:1`)))).toBe(
      'no-rule',
    )
  })

  test.each([
    ['100.64.0.0/24', true],
    ['100.64.0.0/10', true],
    ['0.0.0.0/0', true],
    ['100.64.0.2-100.64.0.9', true],
    ['*', true],
    ['100.64.0.3-100.64.0.9', false],
    ['100.64.1.0/24', false],
    ['100.64.0.3/31', false],
    ['cap:something', false],
    ['nonsense', false],
    ['', false],
    ['::/0', false],
  ])('a source written %j covers the peer: %s', (source, covers) => {
    const filter = filterWith([rule(source, '*', 0, 65535)])
    expect(filter.toOverlay(read(udp(`${PEER}:1`, `${ME}:1`)))).toBe(covers ? 'accept' : 'no-rule')
  })

  test.each([
    ['fd7a:115c:a1e0::/48', true],
    ['fd7a:115c:a1e0::40:0/112', true],
    ['fd7a:115c:a1e0::40:1-fd7a:115c:a1e0::40:3', true],
    ['fd7a:115c:a1e0::40:2', true],
    ['fd7a:115c:a1e1::/48', false],
    ['fd7a:115c:a1e0::40:3-fd7a:115c:a1e0::50:1', false],
    ['0.0.0.0/0', false],
  ])('an IPv6 source written %j covers the peer: %s', (source, covers) => {
    const filter = filterWith([rule(source, '*', 0, 65535)])
    expect(filter.toOverlay(read(udp(`[${PEER6}]:1`, `[${ME6}]:1`)))).toBe(covers ? 'accept' : 'no-rule')
  })

  test('obsolete fields anywhere empty the whole set, which denies', () => {
    const good = rule('*', '*', 0, 65535)
    for (const bad of [
      { ...good, SrcBits: [32] },
      { SrcIPs: ['*'], DstPorts: [{ IP: '*', Bits: 0, Ports: { First: 0, Last: 65535 } }] },
    ]) {
      expect(filterWith([good, bad]).toOverlay(read(udp(`${PEER}:1`, `${ME}:1`)))).toBe('no-rule')
    }
  })

  test.each(['shields are up', 'the peer is jailed'])('F5: only answers come in when %s', (why) => {
    const filter = filterWith(ALLOW_ALL_RULES)
    const answersOnly = why === 'the peer is jailed'
    if (!answersOnly) filter.setShieldsUp(true)
    filter.fromOverlay(read(udp(`${ME}:999`, `${PEER}:53`)))
    expect(filter.toOverlay(read(udp(`${PEER}:53`, `${ME}:999`)), answersOnly)).toBe('accept')
    expect(filter.toOverlay(read(ip(PEER, ME, TSMP)), answersOnly)).toBe('accept')
    for (const packet of [
      udp(`${PEER}:1`, `${ME}:1`),
      echo(PEER, ME),
      tcp(`${PEER}:1`, `${ME}:1`, TCP_SYN),
    ]) {
      expect(filter.toOverlay(read(packet), answersOnly)).toBe('no-rule')
    }
  })
})

describe('threat 20: packets that are not what they seem', () => {
  const filter = filterWith(ALLOW_ALL_RULES)

  test('a stub is malformed', () => {
    expect(filter.toOverlay(read(new Uint8Array(0)))).toBe('malformed')
    expect(filter.toOverlay(read(new Uint8Array(19)))).toBe('malformed')
    expect(filter.toOverlay(read(udp(`${PEER}:1`, `${ME}:1`).subarray(0, 25)))).toBe('malformed')
  })

  test('header lengths that do not fit are malformed', () => {
    const packet = tcp(`${PEER}:1`, `${ME}:22`, TCP_SYN)
    for (const [at, value] of [
      [0, 0x44],
      [0, 0x4f],
      [0, 0x55],
      [2, 0xff],
    ] as const) {
      const bent = packet.slice()
      bent[at] = value
      expect(filter.toOverlay(read(bent))).toBe('malformed')
    }
  })

  test('a first fragment without its whole transport header is malformed', () => {
    const packet = tcp(`${PEER}:1`, `${ME}:22`, TCP_SYN).slice(0, 36)
    packet[3] = 36
    packet[6] = 0x20
    expect(filter.toOverlay(read(packet))).toBe('malformed')
  })

  test('later fragments pass, unless they could overwrite the header', () => {
    const packet = udp(`${PEER}:1`, `${ME}:1`)
    for (const [blocks, verdict] of [
      [1, 'malformed'],
      [9, 'malformed'],
      [10, 'accept'],
      [1000, 'accept'],
    ] as const) {
      packet[6] = blocks >> 8
      packet[7] = blocks & 0xff
      expect(filter.toOverlay(read(packet))).toBe(verdict)
    }
  })

  test('IPv6 extension headers but the fragment header are not looked behind', () => {
    for (const header of [0, 43, 51, 60])
      expect(filter.toOverlay(read(ip(PEER6, ME6, header)))).toBe('malformed')
    const hidden = ip(PEER6, ME6, 44, Uint8Array.of(6, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 22, 0, 0, 0, 0))
    expect(filter.toOverlay(read(hidden))).toBe('malformed')
    const later = ip(PEER6, ME6, 44, Uint8Array.of(6, 0, 0x01, 0x00, 0, 0, 0, 1))
    expect(filter.toOverlay(read(later))).toBe('accept')
  })

  test('multicast and link-local destinations are refused, but for cloud metadata', () => {
    expect(filter.fromOverlay(read(udp(`${ME}:1`, '224.0.0.251:5353')))).toBe('multicast')
    expect(filter.fromOverlay(read(udp(`[${ME6}]:1`, '[ff02::1]:5353')))).toBe('multicast')
    expect(filter.fromOverlay(read(udp(`${ME}:1`, '169.254.1.1:1')))).toBe('link-local')
    expect(filter.fromOverlay(read(udp(`${ME}:1`, '169.254.169.254:80')))).toBe('accept')
    expect(filter.fromOverlay(read(udp(`[${ME6}]:1`, '[fe80::1]:1')))).toBe('link-local')
  })

  test('ICMP of the other family means nothing', () => {
    expect(filter.toOverlay(read(ip(PEER, ME, 58, Uint8Array.of(128, 0, 0, 0, 0, 0, 0, 0))))).toBe(
      'malformed',
    )
    expect(filter.toOverlay(read(ip(PEER6, ME6, 1, Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0))))).toBe('malformed')
  })

  test('random, flipped and cut packets never throw', () => {
    const base = [tcp(`${PEER}:1`, `${ME}:22`, TCP_SYN), udp(`[${PEER6}]:1`, `[${ME6}]:1`), echo(PEER, ME)]
    fc.assert(
      fc.property(
        fc.constantFrom(...base),
        fc.nat(200),
        fc.nat(255),
        fc.nat(100),
        (packet, at, value, cut) => {
          const bent = packet.slice(0, Math.max(0, packet.length - cut))
          if (at < bent.length) bent[at] = value
          expect(typeof filter.toOverlay(read(bent))).toBe('string')
          expect(typeof filter.fromOverlay(read(bent))).toBe('string')
        },
      ),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(typeof filter.toOverlay(read(bytes))).toBe('string')
      }),
    )
  })
})

test('what goes in is not changed', () => {
  const filter = filterWith(ALLOW_ALL_RULES)
  const packet = read(udp(`${PEER}:1`, `${ME}:1`))
  const before = packet.bytes.slice()
  filter.toOverlay(packet)
  filter.fromOverlay(packet)
  expect(packet.bytes).toEqual(before)
  expect(address(ME)).toHaveLength(4)
})
