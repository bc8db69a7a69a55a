// Netchecks where STUN is not enough: no UDP, captive portals; and what people get to read.
import { drain, seededRandom } from '@mesh/sansio'
import { parseAddress } from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import {
  formatNetcheck,
  MagicSock,
  type MagicSockOutput,
  type NetcheckReport,
  type RelayMap,
} from '../src/index.ts'
import { Netcheck, OVERALL_TIMEOUT, STUN_PROBE_TIMEOUT } from '../src/netcheck.ts'
import { planProbes } from '../src/netcheck-plan.ts'
import { ReportBuilder } from '../src/netcheck-report.ts'
import { at } from './support.ts'

const region = (id: number, code: string, more: object = {}) => ({
  id,
  code,
  noMeasureNoHome: false,
  score: 1,
  nodes: [{ name: code, hostName: code, ipv4: parseAddress(`192.0.2.${id}`), ipv6: undefined, stunPort: 0 }],
  ...more,
})
const RELAYS: RelayMap = new Map([
  [1, region(1, 'fra', { name: 'Frankfurt' })],
  [2, region(2, 'nyc', { name: 'New York' })],
  [3, region(3, 'old', { avoid: true })],
])

/** A machine whose STUN nobody answers, and all that it says. */
function blocked(can: { canMeasureRelays?: boolean; canCheckCaptivePortal?: boolean }) {
  const sock = new MagicSock({
    nodeKey: new Uint8Array(32).fill(1),
    discoPrivateKey: new Uint8Array(32).fill(2),
    underlay: { sendDatagram: () => undefined, sendRelay: () => undefined },
    random: seededRandom(1),
    now: 0,
    ...can,
  })
  const said: MagicSockOutput[] = []
  const take = (): void => void said.push(...drain(sock))
  sock.setRelays(RELAYS, 0)
  sock.setLocalAddresses([parseAddress('192.168.1.5')!], { v4: 1, v6: undefined }, 0)
  take()
  const run = (until: number): void => {
    for (let now = sock.pollTimeout(); now <= until; now = sock.pollTimeout()) {
      sock.handleTimeout(now)
      take()
    }
  }
  const measured = (): number[] => said.flatMap((o) => (o.kind === 'measure-relay' ? [o.region] : []))
  const portals = (): number => said.filter((o) => o.kind === 'check-captive-portal').length
  return { sock, said, run, take, measured, portals }
}

describe('a network without UDP', () => {
  test('D15: latencies over HTTPS choose a home, and the relay is connected', () => {
    const { sock, said, run, take, measured } = blocked({ canMeasureRelays: true })
    run(STUN_PROBE_TIMEOUT)
    expect(measured()).toEqual([1, 2])
    expect(sock.report).toBeUndefined()
    sock.handleRelayMeasured(1, 90, 3_200)
    sock.handleRelayMeasured(2, 40, 3_300)
    take()
    expect(sock.report).toMatchObject({ udp: false, ipv4: false, preferredRelay: 2 })
    expect(said).toContainEqual({ kind: 'connect-relay', region: 2 })
  })

  test('relays that never answer end the check after five seconds', () => {
    const { sock, run } = blocked({ canMeasureRelays: true })
    run(OVERALL_TIMEOUT - 1)
    expect(sock.report).toBeUndefined()
    run(OVERALL_TIMEOUT)
    expect(sock.report?.udp).toBe(false)
    // What comes too late is nothing.
    sock.handleRelayMeasured(1, 9_000, 9_000)
    expect(sock.report?.regionLatency.size).toBe(0)
  })

  test('nobody who can measure: the check ends with its STUN phase', () => {
    const { sock, run, measured } = blocked({})
    run(STUN_PROBE_TIMEOUT)
    expect(sock.report?.udp).toBe(false)
    expect(measured()).toEqual([])
  })

  test('a captive portal is looked for once, and believed', () => {
    const { sock, run, portals } = blocked({ canCheckCaptivePortal: true })
    run(199)
    expect(portals()).toBe(0)
    run(300)
    expect(portals()).toBe(1)
    sock.handleCaptivePortal(true, 400)
    run(STUN_PROBE_TIMEOUT)
    expect(sock.report?.captivePortal).toBe(true)
  })

  test('no portal is looked for once STUN has worked, nor in incremental checks', () => {
    let portals = 0
    const netcheck = new Netcheck(seededRandom(1), {
      sendStun: () => undefined,
      measureRelay: undefined,
      pingRelay: undefined,
      checkCaptivePortal: () => void (portals += 1),
    })
    const last = new ReportBuilder()
    last.add(1, 10, at('203.0.113.9:9'))
    netcheck.start({ relays: RELAYS, home: 1, last: last.finish(1), ipv4: true, ipv6: false }, 0)
    netcheck.handleTimeout(2_000)
    expect(portals).toBe(0)
  })
})

test('regions better left alone are asked in full checks, and later only as home', () => {
  const asked = (home: number, last: NetcheckReport | undefined): number[] =>
    planProbes({ relays: RELAYS, home, last, ipv4: true, ipv6: false }).map((list) => list.region)
  const last = new ReportBuilder()
  for (const id of [1, 2, 3]) last.add(id, id * 10, at('203.0.113.9:9'))
  expect(asked(1, undefined)).toEqual([1, 2, 3])
  expect(asked(1, last.finish(1))).toEqual([1, 2])
  expect(asked(3, last.finish(3))).toEqual([1, 2, 3])
})

const AT = new Date('2026-11-27T12:34:05.120Z')

describe('the report for people', () => {
  test('says what was found, nearest relay first', () => {
    const found = new ReportBuilder()
    found.add(2, 1_081.25, at('203.0.113.9:41641'))
    found.add(1, 12.34, at('203.0.113.9:41641'))
    const report = { ...found.finish(1), portMap: { natPmp: true, pcp: false, upnp: true } }
    expect(formatNetcheck(report, RELAYS, AT).split('\n')).toEqual([
      '',
      'Report:',
      expect.stringMatching(/^\t\* Time: 2026-11-2\d \d\d:\d\d:05\.12(Z|[+-]\d\d:\d\d)$/),
      '\t* UDP: true',
      '\t* IPv4: yes, 203.0.113.9:41641',
      '\t* IPv6: no, unavailable in OS',
      '\t* MappingVariesByDestIP: false',
      '\t* PortMapping: UPnP, NAT-PMP',
      '\t* Nearest DERP: Frankfurt',
      '\t* DERP latency:',
      '\t\t- fra: 12.3ms  (Frankfurt)',
      '\t\t- nyc: 1.0813s (New York)',
      '\t\t- old:         (old)',
    ])
  })

  test('says so when nothing was', () => {
    const report = { ...new ReportBuilder().finish(0), captivePortal: true }
    const text = formatNetcheck(report, RELAYS, AT)
    for (const line of [
      'UDP: false',
      'IPv4: (no addr found)',
      'IPv6: no, unavailable in OS',
      'PortMapping: not checked',
      'CaptivePortal: true',
      'Nearest DERP: unknown (no response to latency probes)',
    ])
      expect(text).toContain(`\t* ${line}`)
    expect(formatNetcheck({ ...report, osHasIpv6: true }, RELAYS, AT)).toContain(
      'IPv6: no, but OS has support',
    )
    expect(formatNetcheck({ ...report, ipv6: true }, RELAYS, AT)).toContain('IPv6: (no addr found)')
  })

  test('says which region is home, if any, and short times in small units', () => {
    const found = new ReportBuilder()
    found.add(1, 0.34, at('203.0.113.9:41641'))
    expect(formatNetcheck(found.finish(0), RELAYS, AT)).toContain('Nearest DERP: [none]')
    expect(formatNetcheck(found.finish(9), RELAYS, AT)).toContain('Nearest DERP: 9 (region not found in map)')
    expect(formatNetcheck(found.finish(1), RELAYS, AT)).toContain('- fra: 300µs   (Frankfurt)')
  })

  test("control's names cannot steer a terminal", () => {
    const found = new ReportBuilder()
    found.add(1, 1, at('203.0.113.9:41641'))
    const relays: RelayMap = new Map([[1, region(1, 'a\x1b[2J', { name: 'b\nc' })]])
    const text = formatNetcheck(found.finish(1), relays, AT)
    expect(text).not.toContain('\x1b')
    expect(text).not.toContain('b\n')
  })
})
