// F8: the resolver at 100.100.100.100 over TCP, asked by a host's own stack.
import { frameMessage, MessageReader } from '@mesh/dns'
import { parseAddress } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import type { Connection, ForwardQuery } from '../src/index.ts'
import { makeWire, type Wire } from './support.ts'

const B = parseAddress('100.64.0.2')!
const SECOND = 1_000

/** A query for a name's address, as short as it can be. */
function queryFor(id: number, name: string): Uint8Array {
  const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)])
  return Uint8Array.from([0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1])
}

/** The host of the wire's first end, and what it is told. */
function makeHost(forward?: ForwardQuery): Wire & { dial: (address?: string, port?: number) => Client } {
  const wire = makeWire(forward ? { forward } : {})
  wire.a.dns.setRecords({
    suffix: 'mesh.test',
    nodes: [{ name: 'b.mesh.test', addresses: [B] }],
    routes: [{ suffix: '', resolvers: ['192.0.2.53'] }],
  })
  return { ...wire, dial: (...to) => new Client(wire, ...to) }
}

class Client {
  readonly answers: Uint8Array[] = []
  opened = false
  ended = false
  closed = ''
  readonly connection: Connection

  constructor({ a }: Wire, address = '100.100.100.100', port = 53) {
    const reader = new MessageReader()
    this.connection = a.host.connectTcp(address, port, {
      opened: () => {
        this.opened = true
      },
      data: (bytes) => {
        this.connection.consume(bytes.length)
        reader.push(bytes)
        for (let next = reader.next(); next !== undefined; next = reader.next()) this.answers.push(next)
      },
      ended: () => {
        this.ended = true
      },
      writable: () => undefined,
      closed: (reason) => {
        this.closed = reason
      },
    })
  }

  ask(...queries: Uint8Array[]): void {
    this.connection.send(Buffer.concat(queries.map(frameMessage)))
  }

  /** What came, each as its number, its response code and its last byte. */
  get heard(): (readonly [id: number, code: number, last: number])[] {
    return this.answers.map((each) => [each[1]!, each[3]! & 15, each.at(-1)!])
  }
}

test('F8: answers names of the mesh, several on one connection and in whatever pieces they come', () => {
  const { dial, a } = makeHost()
  const client = dial()
  client.ask(queryFor(1, 'b.mesh.test'), queryFor(2, 'nobody.mesh.test'))
  for (const byte of frameMessage(queryFor(3, 'b.mesh.test'))) client.connection.send(Uint8Array.of(byte))
  expect(client.heard).toEqual([
    [1, 0, 2],
    [2, 3, 10],
    [3, 0, 2],
  ])
  expect(a.sent).toEqual([])
})

test('F8: passes other names on as asked over TCP, and the answers back as they come', async () => {
  const asked: { readonly transport: string; readonly resolve: () => void }[] = []
  const { dial } = makeHost(
    (query, _resolvers, transport) =>
      new Promise((resolve) => asked.push({ transport, resolve: () => resolve(query) })),
  )
  const client = dial()
  client.ask(queryFor(1, 'a.example'), queryFor(2, 'b.example'), queryFor(3, 'b.mesh.test'))
  asked[1]?.resolve()
  await settled()
  asked[0]?.resolve()
  await settled()
  expect(client.heard.map(([id]) => id)).toEqual([3, 2, 1])
  expect(asked.map(({ transport }) => transport)).toEqual(['tcp', 'tcp'])
})

test('F8: says SERVFAIL where no resolver answers', async () => {
  const { dial } = makeHost(() => Promise.resolve(undefined))
  const client = dial()
  client.ask(queryFor(7, 'a.example'))
  await settled()
  expect(client.heard).toEqual([[7, 2, 1]])
})

test('F8: who has asked all may end its side, and gets the answers still', async () => {
  const { dial } = makeHost((query) => Promise.resolve(query))
  const client = dial()
  client.ask(queryFor(1, 'a.example'))
  client.connection.end()
  expect([client.ended, client.closed]).toEqual([false, ''])
  await settled()
  expect(client.heard).toEqual([[1, 0, 1]])
  expect([client.ended, client.closed]).toEqual([true, 'done'])
})

test('F8: ends a connection that is quiet for 45 s, whatever bytes it sends, and breaks it off after as many more', () => {
  const { dial, clock } = makeHost()
  const [busy, quiet] = [dial(), dial()]
  clock.advanceBy(30 * SECOND)
  busy.ask(queryFor(1, 'b.mesh.test'))
  quiet.connection.send(Uint8Array.of(0))
  clock.advanceBy(16 * SECOND)
  expect([busy.ended, quiet.ended, quiet.closed]).toEqual([false, true, ''])
  clock.advanceBy(30 * SECOND)
  expect([busy.ended, quiet.closed]).toEqual([true, ''])
  clock.advanceBy(15 * SECOND)
  expect(quiet.closed).toBe('reset')
})

test('threat 26: bounds the connections: the quietest of 64 gives way to the next', () => {
  const { dial } = makeHost()
  const clients = Array.from({ length: 64 }, () => dial())
  clients[0]!.ask(queryFor(1, 'b.mesh.test'))
  const last = dial()
  last.ask(queryFor(2, 'b.mesh.test'))
  expect(last.heard).toEqual([[2, 0, 2]])
  expect(clients.map(({ closed }) => closed).filter((reason) => reason !== '')).toEqual(['reset'])
  expect(clients[1]!.closed).toBe('reset')
})

test('threat 26: hangs up on a query of over 4,096 bytes, and on what is no query', () => {
  const { dial } = makeHost()
  const [long, junk] = [dial(), dial()]
  long.ask(new Uint8Array(4_097))
  junk.ask(queryFor(1, 'b.mesh.test'), new Uint8Array(3), queryFor(2, 'b.mesh.test'))
  expect([long.closed, junk.closed]).toEqual(['reset', 'reset'])
})

test('threat 26: hangs up on who sends queries and takes no answers', () => {
  const { dial } = makeHost()
  const deaf = dial()
  deaf.connection.consume = () => undefined
  for (let i = 0; i < 100_000 && deaf.closed === ''; i += 1) deaf.ask(queryFor(1, 'b.mesh.test'))
  expect(deaf.closed).toBe('reset')
})

test('F8: has no other port, and the same by IPv6 for a node that has it', () => {
  const { dial, a } = makeHost()
  expect(dial('100.100.100.100', 80).closed).toBe('refused')
  const own = [parseAddress('100.64.0.1')!, parseAddress('fd7a:115c:a1e0::1')!]
  a.engine.setOwnAddresses(own)
  a.host.setAddresses(own)
  const client = dial('fd7a:115c:a1e0::53')
  client.ask(queryFor(1, 'b.mesh.test'))
  expect(client.heard).toEqual([[1, 0, 2]])
})

function settled(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve)
  })
}
