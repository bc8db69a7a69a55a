// Why a peer has the path it has: verdicts from what one side can see.
import { describe, expect, test } from 'vitest'
import { explain, type PathFacts } from '../src/explain.ts'
import {
  ENDPOINT_TYPE,
  formatExplanation,
  type NetcheckReport,
  type PathCauseCode,
  type PathRemedyCode,
} from '../src/index.ts'
import { Ledger, MAX_LEDGER_ENTRIES } from '../src/ledger.ts'
import { ReportBuilder } from '../src/netcheck-report.ts'
import { at, World } from './support.ts'

const STUN_WORKED: NetcheckReport = {
  ...new ReportBuilder().finish(1),
  udp: true,
  ipv4: true,
  mappingVariesByDestIp: false,
}

/** Facts of a relayed path between two NATs that has been tried for long, with changes. */
function facts(changes: Partial<PathFacts>): PathFacts {
  return {
    peer: 2,
    path: { kind: 'relay', region: 1 },
    expired: false,
    hasDiscoKey: true,
    wasHeard: true,
    tryingSince: 0,
    candidates: [at('192.168.2.5:41641'), at('203.0.113.2:7777')],
    ours: [
      { endpoint: at('203.0.113.1:7777'), type: ENDPOINT_TYPE.stun },
      { endpoint: at('192.168.1.5:41641'), type: ENDPOINT_TYPE.local },
    ],
    report: STUN_WORKED,
    peerRelays: 0,
    lifetime: undefined,
    mtu: undefined,
    ledger: new Ledger(),
    ...changes,
  }
}

const NOW = 60_000
const VARIES: NetcheckReport = { ...STUN_WORKED, mappingVariesByDestIp: true }
const BLOCKED: NetcheckReport = { ...STUN_WORKED, udp: false, ipv4: false }

describe('the verdict', () => {
  test.each<[PathCauseCode, PathRemedyCode | undefined, Partial<PathFacts>]>([
    ['our-nat-varies', 'port-mapping-here', { report: VARIES }],
    ['their-nat-varies', 'port-mapping-there', {}],
    ['our-udp-blocked', 'allow-udp-here', { report: BLOCKED }],
    ['their-udp-blocked', 'allow-udp-there', { candidates: [at('192.168.2.5:41641')] }],
    [
      'their-udp-blocked',
      'allow-udp-there',
      { candidates: [at('192.168.2.5:41641'), at('[2001:db8::2]:41641')] },
    ],
    ['same-nat', 'same-network', { candidates: [at('203.0.113.1:9999')] }],
    ['no-common-family', 'ipv6-on-both', { candidates: [at('[2001:db8::2]:41641')] }],
    ['peer-silent', 'start-peer', { wasHeard: false }],
    ['not-tried', 'send-something', { tryingSince: undefined }],
    ['still-looking', undefined, { tryingSince: NOW - 1_000 }],
    ['expired', 'renew-key', { expired: true }],
    ['no-disco-key', 'start-peer', { hasDiscoKey: false }],
  ])('%s comes first, with %s as the first remedy', (cause, remedy, changes) => {
    const verdict = explain(facts(changes), NOW)
    expect(verdict.causes[0]?.code).toBe(cause)
    expect(verdict.remedies[0]?.code).toBe(remedy)
  })

  test('where one STUN server alone has answered, that is said, and what would tell', () => {
    const report: NetcheckReport = { ...STUN_WORKED, mappingVariesByDestIp: undefined }
    const { causes, remedies } = explain(facts({ report }), NOW)
    expect(causes.map(({ code }) => code)).toEqual(['their-nat-varies', 'mapping-unknown'])
    expect(remedies.at(-1)?.code).toBe('second-stun-server')
    expect(explain(facts({}), NOW).causes).toHaveLength(1)
  })

  test.each(['ports-searched', 'doors-opened'] as const)(
    'a search for ports (%s) that found none is said',
    (event) => {
      const ledger = new Ledger()
      ledger.note(event, at('203.0.113.2:0'), NOW)
      const codes = explain(facts({ ledger }), NOW + 20_000).causes.map(({ code }) => code)
      expect(codes).toEqual(['their-nat-varies', 'ports-searched'])
      // One of an earlier try says nothing of this.
      const later = explain(facts({ ledger, tryingSince: NOW + 1 }), NOW + 20_000)
      expect(later.causes).toHaveLength(1)
    },
  )

  test.each<[PathCauseCode, Partial<PathFacts>]>([
    ['our-nat-varies', { report: VARIES }],
    ['their-nat-varies', {}],
    ['same-nat', { candidates: [at('203.0.113.1:9999')] }],
    ['no-common-family', { candidates: [at('[2001:db8::2]:41641')] }],
  ])('against %s a peer relay helps, unless there is one', (_cause, changes) => {
    const codes = (more: Partial<PathFacts>): PathRemedyCode[] =>
      explain(facts({ ...changes, ...more }), NOW).remedies.map(({ code }) => code)
    expect(codes({})).toContain('peer-relay')
    expect(codes({ peerRelays: 1 })).not.toContain('peer-relay')
    const path = { kind: 'peer-relay', endpoint: at('192.0.2.9:7'), vni: 1, latency: 3 } as const
    expect(codes({ path, peerRelays: 1 })).not.toContain('peer-relay')
  })

  test('a peer relay that there is, but that does not carry, is named', () => {
    const codes = (more: Partial<PathFacts>): PathCauseCode[] =>
      explain(facts({ peerRelays: 1, ...more }), NOW).causes.map(({ code }) => code)
    expect(codes({})).toEqual(['their-nat-varies', 'peer-relay-silent'])
    const path = { kind: 'peer-relay', endpoint: at('192.0.2.9:7'), vni: 1, latency: 3 } as const
    expect(codes({ path })).toEqual(['their-nat-varies'])
  })

  test.each([
    [{ atLeast: 30_000, lessThan: 60_000 }, 'lives at least 30 s, less than 60 s.'],
    [{ atLeast: 60_000, lessThan: undefined }, 'lives at least 60 s.'],
    [{ atLeast: 0, lessThan: 10_000 }, 'lives less than 10 s.'],
  ])('how long the path lives unused is said where it is known', (found, said) => {
    const lifetime = { path: at('203.0.113.2:7777'), ...found }
    const text = formatExplanation(explain(facts({ lifetime }), NOW), NOW)
    expect(text).toContain(`Unused, the path by 203.0.113.2:7777 ${said}`)
    expect(formatExplanation(explain(facts({}), NOW), NOW)).not.toContain('Unused')
  })

  test('how large the packets are that have passed is said where larger ones than usual have', () => {
    const textWith = (mtu: number): string => formatExplanation(explain(facts({ mtu }), NOW), NOW)
    expect(textWith(1_500)).toContain('Packets of 1500 bytes have passed by it.')
    expect(textWith(1_360)).not.toContain('Packets of')
  })

  test('a port that is mapped already is not asked for again', () => {
    const ours = [{ endpoint: at('203.0.113.1:50001'), type: ENDPOINT_TYPE.portmapped }]
    const codes = explain(facts({ report: VARIES, ours }), NOW).remedies.map((remedy) => remedy.code)
    expect(codes).not.toContain('port-mapping-here')
  })

  test('pings of theirs that arrive, while no answer does, mean a firewall on their side', () => {
    const ledger = new Ledger()
    ledger.note('ping-heard', at('203.0.113.2:7777'), NOW)
    expect(explain(facts({ ledger }), NOW).causes[0]?.code).toBe('their-udp-blocked')
  })

  test('a direct path needs no remedy', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    const a = world.add({ id: 1, addresses: ['198.51.100.1'] })
    const b = world.add({ id: 2, addresses: ['198.51.100.2'] })
    world.clock.advanceBy(4_000)
    a.meet(b.config())
    b.meet(a.config())
    a.keepSending(2, 500, 5_000)
    const verdict = a.sock.explainPath(2, world.clock.now())
    expect(verdict?.causes.map((cause) => cause.code)).toEqual(['direct'])
    expect(verdict?.remedies).toEqual([])
    expect(verdict?.ledger.map((entry) => entry.event)).toContain('path-adopted')
    expect(a.sock.explainPath(3, world.clock.now())).toBeUndefined()
  })

  test('a peer that is gone is called silent, and one to whom nothing is sent not tried', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    const a = world.add({ id: 1, addresses: ['198.51.100.1'] })
    const b = world.add({ id: 2, addresses: ['198.51.100.2'] })
    world.clock.advanceBy(4_000)
    a.meet(b.config())
    b.stop()
    const first = (): PathCauseCode | undefined => a.sock.explainPath(2, world.clock.now())?.causes[0]?.code
    expect(first()).toBe('not-tried')
    a.keepSending(2, 500, 20_000)
    expect(first()).toBe('peer-silent')
  })

  test('is told to people with what was tried', () => {
    const ledger = new Ledger()
    ledger.note('ping-sent', at('203.0.113.2:7777'), NOW - 9_000)
    ledger.note('ping-sent', at('203.0.113.2:7777'), NOW - 4_000)
    ledger.note('call-heard', 1, NOW - 500)
    const text = formatExplanation(explain(facts({ report: VARIES, ledger }), NOW), NOW)
    expect(text.split('\n')).toEqual([
      'Path: relay region 1',
      'Why:',
      '  - Our NAT gives each destination another port, and theirs lets in by port. (likely)',
      '  - It may be that their NAT gives each destination another port too. (possible)',
      'What would help:',
      '  - Turn on UPnP, NAT-PMP or PCP at the router here, or forward a fixed UDP port by hand.',
      "  - Turn on UPnP, NAT-PMP or PCP at the peer's router, or forward a fixed UDP port by hand.",
      '  - Give both sides IPv6: there is no NAT to get through.',
      '  - Let a machine of yours that both reach over UDP relay between them (a peer relay): shorter than a relay region.',
      'Seen:',
      '  - ping sent, 203.0.113.2:7777: 2 times, last 4.0 s ago',
      '  - call heard, relay region 1: 0.5 s ago',
    ])
  })
})

test('the ledger is bounded, counts what repeats, and forgets what is longest ago', () => {
  const ledger = new Ledger()
  for (let port = 1; port <= 1_000; port += 1) ledger.note('ping-heard', at(`203.0.113.9:${port}`), port)
  ledger.note('ping-heard', at('203.0.113.9:1000'), 2_000)
  expect(ledger.entries.length).toBe(MAX_LEDGER_ENTRIES)
  expect(ledger.entries.at(-1)).toMatchObject({ times: 2, firstAt: 1_000, lastAt: 2_000 })
  expect(ledger.has('ping-heard', 'udp', 2_000)).toBe(true)
  expect(ledger.has('ping-heard', 'relay', 0)).toBe(false)
})
