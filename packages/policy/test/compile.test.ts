import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ALLOW_ALL_RULES, compile, PacketFilter, readPolicy } from '../src/index.ts'
import type { PolicyNode } from '../src/index.ts'
import { echo, read, tcp, udp } from './packets.ts'
import { TCP_SYN } from '@mesh/wire/ip'

const node = (id: number): PolicyNode => ({
  id,
  user: 1,
  tags: [],
  addresses: [`100.64.0.${id}`, `fd7a:115c:a1e0::40:${id}`],
  routes: [],
})

test('allow-all: everybody sees everybody but itself, and nobody who is not there', () => {
  const compiled = compile({ kind: 'allow-all' }, [node(1), node(2)])
  const first = compiled.forNode(1)
  expect([first?.sees(2), first?.sees(1), first?.sees(3)]).toEqual([true, false, false])
  expect(compiled.forNode(3)).toBeUndefined()
})

test('allow-all: every node enforces the one rule, and it is the same array each time', () => {
  const compiled = compile({ kind: 'allow-all' }, [node(1), node(2)])
  expect(compiled.forNode(1)?.packetFilter).toBe(ALLOW_ALL_RULES)
  expect(compiled.forNode(2)?.packetFilter).toBe(ALLOW_ALL_RULES)
})

test('a verdict says why', () => {
  const first = compile({ kind: 'allow-all' }, [node(1)]).forNode(1)
  const flow = { source: '100.64.0.2', destination: '100.64.0.1', protocol: 6, port: 22 }
  expect(first?.verdict(flow)).toEqual({
    allowed: true,
    reason: expect.stringContaining('no policy') as unknown,
  })
  expect(first?.verdict({ ...flow, protocol: 47 })).toMatchObject({ allowed: false })
  expect(first?.verdict({ ...flow, source: '::1' })).toMatchObject({ allowed: false })
  expect(first?.verdict({ ...flow, source: 'nobody' })).toMatchObject({ allowed: false })
})

test('the verdict and the filter agree about every flow that opens', () => {
  const first = compile({ kind: 'allow-all' }, [node(1)]).forNode(1)
  const filter = new PacketFilter()
  filter.setRules(first?.packetFilter ?? [])
  filter.setLocalPrefixes(['100.64.0.1/32'])
  fc.assert(
    fc.property(
      fc.ipV4(),
      fc.integer({ min: 1, max: 65535 }),
      fc.constantFrom(1, 6, 17),
      (source, port, protocol) => {
        const destination = '100.64.0.1'
        const packet =
          protocol === 1
            ? echo(source, destination)
            : protocol === 6
              ? tcp(`${source}:9`, `${destination}:${port}`, TCP_SYN)
              : udp(`${source}:9`, `${destination}:${port}`)
        const allowed = first?.verdict({
          source,
          destination,
          protocol,
          port: protocol === 1 ? 0 : port,
        }).allowed
        expect(filter.toOverlay(read(packet)) === 'accept').toBe(allowed)
      },
    ),
  )
})

test('the hundredth rule counts as the first does', () => {
  const owned = (id: number): PolicyNode => ({ ...node(id), user: id })
  const users = Array.from({ length: 100 }, (_, i) => ({ id: i + 1, name: `user${i + 1}` }))
  const acls = users.map(({ name, id }) => ({
    action: 'accept',
    src: [`${name}@`],
    dst: [`user${101 - id}@:22`],
  }))
  const policy = readPolicy(JSON.stringify({ acls }))
  const compiled = compile(
    policy,
    Array.from(users, ({ id }) => owned(id)),
    users,
  )
  for (const { id } of users) {
    const seen = users.filter((other) => compiled.forNode(id)?.sees(other.id)).map((other) => other.id)
    expect(seen).toEqual([101 - id])
  }
})
