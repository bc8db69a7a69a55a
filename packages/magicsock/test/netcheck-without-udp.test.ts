// Where no STUN server answers: relays are measured over HTTPS and by ICMP at once, and the least counts.
import { parseAddress } from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import { ReportBuilder } from '../src/netcheck-report.ts'
import { ICMP_PROBE_TIMEOUT, Netcheck, OVERALL_TIMEOUT, STUN_PROBE_TIMEOUT } from '../src/netcheck.ts'
import type { RelayMap, RelayRegion } from '../src/index.ts'

const V4 = parseAddress('192.0.2.1')!

function region(id: number, more: Partial<RelayRegion> = {}, stunPort = 0): RelayRegion {
  const node = { name: `${id}a`, hostName: `relay${id}.example`, ipv4: V4, ipv6: undefined, stunPort }
  return { id, code: `r${id}`, noMeasureNoHome: false, score: 1, nodes: [node], ...more }
}

const RELAYS: RelayMap = new Map(
  [region(1), region(2), region(3, { avoid: true }), region(4, {}, -1)].map((r) => [r.id, r]),
)

/** A check that has begun, and what it asked for. */
function begin(can: { https?: boolean; icmp?: boolean }): { check: Netcheck; asked: string[] } {
  const asked: string[] = []
  const check = new Netcheck((length) => new Uint8Array(length), {
    sendStun: () => undefined,
    measureRelay: can.https ? (id) => asked.push(`https ${id}`) : undefined,
    pingRelay: can.icmp ? (id, address) => asked.push(`icmp ${id} ${address.join('.')}`) : undefined,
    checkCaptivePortal: undefined,
  })
  check.start({ relays: RELAYS, home: 0, last: undefined, ipv4: true, ipv6: false }, 0)
  return { check, asked }
}

test('D15: asks both ways once the STUN phase is over, those regions that may be measured', () => {
  const { check, asked } = begin({ https: true, icmp: true })
  expect(check.takeFindings(STUN_PROBE_TIMEOUT - 1)).toBeUndefined()
  expect(asked).toEqual([])
  expect(check.takeFindings(STUN_PROBE_TIMEOUT)).toBeUndefined()
  // One that wants no STUN is not pinged either.
  expect(asked).toEqual(['https 1', 'https 2', 'https 4', 'icmp 1 192.0.2.1', 'icmp 2 192.0.2.1'])
  check.takeFindings(STUN_PROBE_TIMEOUT)
  expect(asked).toHaveLength(5)
})

test('D15: the least of both counts, and no host that answers without a relay that does', () => {
  const { check } = begin({ https: true, icmp: true })
  check.takeFindings(STUN_PROBE_TIMEOUT)
  check.handleRelayMeasured(1, 40)
  check.handleRelayPinged(1, 25)
  check.handleRelayMeasured(2, undefined)
  check.handleRelayPinged(2, 70)
  check.handleRelayMeasured(4, 90)
  const report = check.takeFindings(STUN_PROBE_TIMEOUT + 100)?.finish(1)
  expect(report?.regionLatency).toEqual(
    new Map([
      [1, 25],
      [4, 90],
    ]),
  )
  expect(report).toMatchObject({ udp: false, icmpV4: true })
})

test('an ICMP phase is over after a second, whoever has answered', () => {
  const { check } = begin({ icmp: true })
  check.takeFindings(STUN_PROBE_TIMEOUT)
  check.handleRelayPinged(1, 10)
  const end = STUN_PROBE_TIMEOUT + ICMP_PROBE_TIMEOUT
  expect(check.pollTimeout()).toBe(end)
  expect(check.takeFindings(end - 1)).toBeUndefined()
  const report = check.takeFindings(end)?.finish(1)
  expect(report?.regionLatency).toEqual(new Map([[1, 10]]))
})

test('HTTPS goes on after it, to the end of the check', () => {
  const { check } = begin({ https: true, icmp: true })
  check.takeFindings(STUN_PROBE_TIMEOUT)
  expect(check.takeFindings(STUN_PROBE_TIMEOUT + ICMP_PROBE_TIMEOUT)).toBeUndefined()
  check.handleRelayPinged(1, 10)
  const report = check.takeFindings(OVERALL_TIMEOUT)?.finish(0)
  expect(report?.regionLatency.size).toBe(0)
  expect(report?.icmpV4).toBe(false)
})

describe('the report', () => {
  test('says whether ICMP works only where that was tried', () => {
    const { check } = begin({ icmp: true })
    check.takeFindings(STUN_PROBE_TIMEOUT)
    check.handleRelayPinged(1, 10)
    check.handleRelayPinged(2, undefined)
    const report = check.takeFindings(STUN_PROBE_TIMEOUT + 50)!.finish(1)
    expect(report.icmpV4).toBe(true)
    expect(new ReportBuilder().finish(0)).not.toHaveProperty('icmpV4')
  })

  test('is there at once when nobody can ask', () => {
    const { check } = begin({})
    expect(check.takeFindings(STUN_PROBE_TIMEOUT)?.finish(0)).toMatchObject({ udp: false })
  })
})
