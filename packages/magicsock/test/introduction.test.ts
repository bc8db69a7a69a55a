import { parseEndpoint } from '@mesh/wire/ip'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatIntroduction, parseIntroduction } from '../src/index.ts'

const introduction = {
  nodeKey: new Uint8Array(32).fill(1),
  discoKey: new Uint8Array(32).fill(2),
  endpoints: [parseEndpoint('192.0.2.1:41641')!, parseEndpoint('[2001:db8::1]:41641')!],
  homeRelay: 3,
}

test('an introduction is one line, and comes back as it was', () => {
  const text = formatIntroduction(introduction)
  expect(text).not.toContain('\n')
  expect(parseIntroduction(text)).toEqual(introduction)
})

test('endpoints that are none are left out, and so is a relay that is none', () => {
  const text = formatIntroduction(introduction)
    .replace('192.0.2.1', 'example')
    .replace('"relay":3', '"relay":-1')
  expect(parseIntroduction(text)).toEqual({
    ...introduction,
    endpoints: introduction.endpoints.slice(1),
    homeRelay: 0,
  })
})

test('anything else is no introduction, and never throws', () => {
  const good = formatIntroduction(introduction)
  const damaged = fc.oneof(
    fc.string(),
    fc.json(),
    fc.nat(good.length - 1).map((cut) => good.slice(0, cut)),
    fc.constant(good.replace('nodekey:01', 'nodekey:')),
  )
  fc.assert(
    fc.property(damaged, (text) => {
      expect(parseIntroduction(text)).toBeUndefined()
    }),
  )
  expect(parseIntroduction(good + ' '.repeat(20_000))).toBeUndefined()
})
