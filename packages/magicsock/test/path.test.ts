// Which of two paths is better: the table of checklist D9.
import { parseEndpoint } from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import { betterAddr, type Path } from '../src/path.ts'

const GLOBAL_A = '203.0.113.1:1'
const GLOBAL_B = '198.51.100.2:2'
const PRIVATE = '192.168.1.2:3'
const LOOPBACK = '127.0.0.1:4'
const LINK_LOCAL = '169.254.1.1:5'
const GLOBAL_V6 = '[2001:db8::1]:6'
const PRIVATE_V6 = '[fd00::1]:7'

function path(endpoint: string, latency: number, extra: Partial<Path> = {}): Path {
  return { endpoint: parseEndpoint(endpoint)!, latency, mtu: 1_360, ...extra }
}

function tunnel(endpoint: string, latency: number): Path {
  return path(endpoint, latency, { endpoint: { ...parseEndpoint(endpoint)!, vni: 7 } })
}

describe('betterAddr', () => {
  const table: [rule: string, a: Path, b: Path | undefined, better: boolean][] = [
    ['anything beats nothing', path(GLOBAL_A, 500), undefined, true],
    ['the same address is not better than itself', path(GLOBAL_A, 1), path(GLOBAL_A, 100), false],
    ['the same address with a larger MTU is', path(GLOBAL_A, 9, { mtu: 1_500 }), path(GLOBAL_A, 1), true],
    ['direct beats a peer relay however slow', path(GLOBAL_A, 900), tunnel(GLOBAL_B, 1), true],
    ['a peer relay never beats direct', tunnel(GLOBAL_B, 1), path(GLOBAL_A, 900), false],
    ['the same address through a relay is another path', path(GLOBAL_A, 900), tunnel(GLOBAL_A, 1), true],
    ['half the latency wins', path(GLOBAL_A, 50), path(GLOBAL_B, 100), true],
    ['twice the latency loses', path(GLOBAL_A, 100), path(GLOBAL_B, 50), false],
    ['equal is not better', path(GLOBAL_A, 50), path(GLOBAL_B, 50), false],
    ['1 % is not worth moving', path(GLOBAL_A, 99), path(GLOBAL_B, 100), false],
    ['0.5 % is not worth moving', path(GLOBAL_A, 99.5), path(GLOBAL_B, 100), false],
    ['1.1 % is', path(GLOBAL_A, 98.9), path(GLOBAL_B, 100), true],
    ['a LAN path beats a WAN path 19 % faster', path(PRIVATE, 100), path(GLOBAL_A, 81), true],
    ['but not one 20 % faster', path(PRIVATE, 100), path(GLOBAL_A, 80), false],
    ['a WAN path 21 % faster beats a LAN path', path(GLOBAL_A, 79), path(PRIVATE, 100), true],
    ['IPv6 beats IPv4 up to 9 % faster', path(GLOBAL_V6, 100), path(GLOBAL_A, 91), true],
    ['but not 10 % faster', path(GLOBAL_V6, 100), path(GLOBAL_A, 90), false],
    ['loopback beats a LAN path 29 % faster', path(LOOPBACK, 100), path(PRIVATE, 71), true],
    ['but not 31 % faster', path(LOOPBACK, 100), path(PRIVATE, 69), false],
    ['link-local beats private at equal speed', path(LINK_LOCAL, 10), path(PRIVATE, 10), true],
    ['private IPv6 beats private IPv4 at equal speed', path(PRIVATE_V6, 10), path(PRIVATE, 10), true],
    ['a path of no time beats one of some', path(GLOBAL_A, 0), path(GLOBAL_B, 1), true],
    ['two of no time are equal', path(GLOBAL_A, 0), path(GLOBAL_B, 0), false],
    ['nanoseconds count', path(GLOBAL_A, 0.0005), path(GLOBAL_B, 0.001), true],
  ]

  test.each(table)('D9: %s', (_rule, a, b, better) => {
    expect(betterAddr(a, b)).toBe(better)
  })
})
