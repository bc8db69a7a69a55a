// What a gateway, or whoever answers in its name, says in XML must never end the program that asked.
import { parseAddress } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { readServices, readSoap } from '../../src/portmap/upnp-xml.ts'

const BASE = { to: { address: parseAddress('192.168.1.1')!, port: 5000 }, path: '/rootDesc.xml' }

test('threat 13: XML nested without end is no answer, also when a comment closes what is never closed', () => {
  for (let depth = 1_000; depth <= 9_000; depth += 1_000) {
    const nested = '<a>'.repeat(depth) + '</a>'.repeat(depth)
    for (const text of [nested, `<!-- ${'</a>'.repeat(depth)} -->${nested}`]) {
      expect(readSoap(text, 'X')).toBeUndefined()
      expect(readServices(text, BASE)).toEqual([])
    }
  }
})

test('a description as deep as they are is read, and what is deeper is not, whatever its comments hold', () => {
  const service =
    '<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/c</controlURL></service>'
  const inside = (depth: number): string => '<d>'.repeat(depth) + service + '</d>'.repeat(depth)
  expect(readServices(inside(10), BASE)).toHaveLength(1)
  expect(readServices(inside(40), BASE)).toEqual([])
  expect(readServices(`<!-- ${'</d>'.repeat(40)} -->${inside(40)}`, BASE)).toEqual([])
})
