import { batchOf, packetsOf } from '@mesh/tun'
import {
  decodeIcmpEcho,
  decodeIpPacket,
  decodeTcp,
  decodeUdp,
  encodeIcmpEcho,
  encodeIpPacket,
  encodeTcpPacket,
  encodeUdpPacket,
  parseAddress,
  parsePrefix,
  PROTOCOL_ICMP,
  PROTOCOL_TSMP,
  TCP_ACK,
  TCP_RST,
  TCP_SYN,
} from '@mesh/wire/ip'
import { encodeTsmp } from '@mesh/wire/tsmp'
import { MESSAGE_COOKIE_REPLY } from '@mesh/wire/wireguard'
import { describe, expect, test } from 'vitest'
import type { GateSettings } from '../src/index.ts'
import { makeWire } from './support.ts'

const A = parseAddress('100.64.0.1')!
const B = parseAddress('100.64.0.2')!
const SERVICE = parseAddress('100.100.100.100')!

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}

describe('the engine', () => {
  test('carries a ping to the stack of the peer and back, handshake and all', async () => {
    const { a, clock, carry } = makeWire()
    const latency = a.engine.ping('ICMP', A, B, 5000)
    clock.advanceBy(3)
    carry()
    await expect(latency).resolves.toBe(3)
    expect(a.sources).toContain(22)
  })

  test('sends a handshake that had no path as soon as there is one', async () => {
    const { a, carry } = makeWire()
    a.plug.plugged = false
    const latency = a.engine.ping('ICMP', A, B, 5000)
    carry()
    expect(a.engine.drops['no-path']).toBe(1)
    a.plug.plugged = true
    a.engine.wake()
    carry()
    await expect(latency).resolves.toBe(0)
  })

  test('shakes hands again after a sleep that was longer than sessions live, and not after a shorter one', async () => {
    const { a, clock, carry } = makeWire()
    const pings = async (): Promise<number> => {
      const before = a.sent.length
      const latency = a.engine.ping('ICMP', A, B, 5000)
      const initiations = a.sent.slice(before).filter((datagram) => datagram[0] === 1).length
      carry()
      await expect(latency).resolves.toBe(0)
      return initiations
    }
    expect(await pings()).toBe(1)
    a.engine.noteSleep(170_000)
    expect(await pings()).toBe(0)
    clock.advanceBy(1_000)
    a.engine.noteSleep(180_000)
    expect(await pings()).toBe(1)
  })

  test('F6: answers a TSMP ping itself, whatever the filter says', async () => {
    const { a, b, carry } = makeWire()
    b.engine.setFilter({ rules: [] })
    const latency = a.engine.ping('TSMP', A, B, 5000)
    carry()
    await expect(latency).resolves.toBe(0)
  })

  test('W18: the disco key by which a peer opens a session is learnt, and no program gets it', () => {
    const { a, b, carry } = makeWire()
    const delivered: Uint8Array[] = []
    b.engine.setHost({ write: (batch) => delivered.push(...packetsOf(batch)) })
    const discoKey = new Uint8Array(32).fill(7)
    const header = { source: A, destination: B, protocol: PROTOCOL_TSMP }
    const priorityPacket = encodeIpPacket(header, encodeTsmp({ kind: 'disco-key', discoKey }))
    a.engine.wireguard.setPeers(
      a.peers.map((peer) => ({ ...peer, priorityPacket })),
      1_000,
    )
    void a.engine.ping('ICMP', A, B, 5000)
    carry()
    expect(b.discoKeys).toEqual([discoKey])
    expect(delivered.map((packet) => decodeIpPacket(packet)?.protocol)).toEqual([PROTOCOL_ICMP])
  })

  test('gives a ping up when its time is over, and knows a late answer no more', async () => {
    const { a, b, clock, carry } = makeWire()
    b.engine.setFilter({ rules: [] })
    const latency = a.engine.ping('ICMP', A, B, 5000)
    carry()
    clock.advanceBy(5000)
    await expect(latency).resolves.toBeUndefined()
  })

  test('W15: one that floods handshakes is answered with cookies, and another is not', () => {
    const { a, b } = makeWire()
    void b.engine.ping('ICMP', B, A, 5000)
    const [initiation = new Uint8Array()] = b.sent
    for (let i = 0; i < 10; i += 1) a.engine.fromUnderlay(initiation, 99)
    expect(a.replies).toEqual(Array.from({ length: 5 }, () => [99, MESSAGE_COOKIE_REPLY]))
    a.engine.fromUnderlay(initiation, 22)
    expect(a.replies).toHaveLength(5)
  })

  test('gives up the pings that wait when it is closed, and leaves no timer behind', async () => {
    const { a, clock } = makeWire()
    const latency = a.engine.ping('ICMP', A, B, 10_000)
    a.engine.close()
    await expect(latency).resolves.toBeUndefined()
    clock.advanceBy(5_000)
    expect(clock.nextTimer()).toBe(Infinity)
  })

  test('F3: lets an echo request in only by a rule', () => {
    const { a, b, carry } = makeWire()
    b.engine.setFilter({ rules: [] })
    void a.engine.ping('ICMP', A, B, 5000)
    carry()
    expect(b.engine.drops['no-rule']).toBe(1)
  })

  test('carries UDP between two user-space stacks by their ports', () => {
    const { a, b, carry } = makeWire()
    const heard: string[] = []
    const server = b.host.listenUdp(7, ({ data, address, port }) => {
      heard.push(new TextDecoder().decode(data))
      server.send(Uint8Array.of(111, 107), address, port)
    })
    const client = a.host.listenUdp(0, ({ data, address }) =>
      heard.push(`${new TextDecoder().decode(data)} ${address}`),
    )
    client.send(new TextEncoder().encode('hello'), '100.64.0.2', 7)
    carry()
    expect(heard).toEqual(['hello', 'ok 100.64.0.2'])
  })

  test('F4: tells the opener of a refused TCP connection so, and the telling is not given to its host', () => {
    const { a, b, carry } = makeWire()
    b.engine.setFilter({ rules: [] })
    const got: Uint8Array[] = []
    a.engine.setHost({ write: (batch) => got.push(...packetsOf(batch)) })
    const syn = { sequence: 1, acknowledgment: 0, flags: TCP_SYN, window: 100 }
    a.engine.fromOverlay(batchOf([encodeTcpPacket({ address: A, port: 5 }, { address: B, port: 80 }, syn)]))
    carry()
    expect(b.engine.drops['no-rule']).toBe(1)
    expect(b.engine.wireguard.peerCounters(0)?.sentPackets).toBeGreaterThan(0)
    expect(got).toEqual([])
  })

  test('F6: swallows TSMP that a program of the host forges', () => {
    const { a, carry } = makeWire()
    const body = encodeTsmp({ kind: 'ping', data: new Uint8Array(8) })
    a.engine.fromOverlay(
      batchOf([encodeIpPacket({ source: A, destination: B, protocol: PROTOCOL_TSMP }, body)]),
    )
    carry()
    expect(a.engine.drops['tsmp-from-host']).toBe(1)
    expect(a.sent).toEqual([])
  })

  test('D20: a peer that knows this node by another address is talked to from that one, and reaches it there', async () => {
    const { a, b, carry } = makeWire()
    const shown = parsePrefix('100.99.0.7/32')!
    a.engine.setTerms({
      own: [A],
      peers: [{ prefixes: a.peers[0]!.allowedIps, shown: [shown.address], isJailed: false }],
    })
    b.engine.wireguard.setPeers([{ ...b.peers[0]!, allowedIps: [shown] }], 1_000)
    const heard: string[] = []
    const server = a.host.listenUdp(7, ({ data, address, port }) => {
      heard.push(`a hears ${address}`)
      server.send(data, address, port)
    })
    const client = b.host.listenUdp(0, ({ address }) => heard.push(`b hears ${address}`))
    client.send(Uint8Array.of(1), '100.99.0.7', 7)
    carry()
    expect(heard).toEqual(['a hears 100.64.0.2', 'b hears 100.99.0.7'])
    // What the engine makes by itself comes from there too: pings, and answers to those of the peer.
    for (const type of ['ICMP', 'TSMP'] as const) {
      for (const latency of [a.engine.ping(type, A, B, 5000), b.engine.ping(type, B, shown.address, 5000)]) {
        carry()
        await expect(latency).resolves.toBe(0)
      }
    }
    const drops = [a, b].map(({ engine }) => engine.wireguard.counters().drops['wrong-source'])
    expect(drops).toEqual([0, 0])
  })

  test('turns packets for its own address around, without the network', () => {
    const { a } = makeWire()
    const got: Uint8Array[] = []
    a.engine.setHost({ write: (batch) => got.push(...packetsOf(batch)) })
    const packet = encodeUdpPacket({ address: A, port: 1 }, { address: A, port: 2 }, Uint8Array.of(9))
    a.engine.fromOverlay(batchOf([packet]))
    expect([got, a.sent]).toEqual([[packet], []])
  })

  test('drops and counts what is no packet, and goes on', () => {
    const { a } = makeWire()
    a.engine.fromOverlay(batchOf([new Uint8Array(3), new Uint8Array(40), Uint8Array.of(0x45)]))
    expect(a.engine.drops.malformed).toBe(3)
  })

  test('threat 18: drops a packet from an address that is another peer’s', () => {
    const { a, b, carry } = makeWire()
    const other = parseAddress('100.64.0.9')!
    const echo = { kind: 'request', identifier: 1, sequence: 1, data: new Uint8Array(8) } as const
    b.engine.setOwnAddresses([])
    b.engine.fromOverlay(batchOf([encodeIcmpEcho(other, A, echo)]))
    carry()
    expect(a.engine.wireguard.counters().drops['wrong-source']).toBe(1)
  })
})

describe('an engine whose gate stands where the packets are moved', () => {
  test('hears of own addresses and of pings that wait, and handles what is handed up', async () => {
    const told: GateSettings[] = []
    const { a, b, carry } = makeWire({ tellGate: (change) => told.push(change) })
    expect(told.flatMap(({ ownAddresses }) => ownAddresses ?? []).map((one) => one.join('.'))).toContain(
      '100.64.0.1',
    )
    const got: Uint8Array[] = []
    a.engine.setHost({ write: (batch) => got.push(...packetsOf(batch)) })
    const latency = a.engine.ping('ICMP', A, B, 5000)
    expect(told.at(-1)).toEqual({ expectsEchoes: true })
    b.engine.setHost({
      write: (batch) => {
        for (const packet of packetsOf(batch)) {
          const request = decodeIcmpEcho(decodeIpPacket(packet)!)!
          a.engine.takeUp(encodeIcmpEcho(B, A, { ...request, kind: 'reply' }), 0)
        }
        return batch.count
      },
    })
    carry()
    await expect(latency).resolves.toBe(0)
    expect([told.at(-1), got]).toEqual([{ expectsEchoes: false }, []])
    const strange = encodeIcmpEcho(B, A, {
      kind: 'reply',
      identifier: 1,
      sequence: 1,
      data: new Uint8Array(56),
    })
    a.engine.takeUp(strange, 0)
    expect(got).toEqual([strange])
  })
})

describe('F7: 100.100.100.100', () => {
  function ask(packet: Uint8Array): Uint8Array[] {
    const { a } = makeWire()
    a.dns.setRecords({ suffix: 'mesh.test', nodes: [{ name: 'b.mesh.test', addresses: [B] }] })
    const got: Uint8Array[] = []
    a.engine.setHost({ write: (batch) => got.push(...packetsOf(batch)) })
    a.engine.fromOverlay(batchOf([packet]))
    expect(a.sent).toEqual([])
    return got
  }

  test('answers an echo', () => {
    const data = Uint8Array.of(1, 2, 3)
    const [reply] = ask(encodeIcmpEcho(A, SERVICE, { kind: 'request', identifier: 4, sequence: 5, data }))
    const packet = decodeIpPacket(reply!)!
    expect([...packet.source, ...packet.destination]).toEqual([...SERVICE, ...A])
    expect(decodeIcmpEcho(packet)).toMatchObject({ kind: 'reply', identifier: 4, sequence: 5, data })
  })

  test('F8: answers a name of the mesh over UDP', async () => {
    const query = Uint8Array.from([
      0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x62, 4, 0x6d, 0x65, 0x73, 0x68, 4, 0x74, 0x65, 0x73, 0x74, 0, 0,
      1, 0, 1,
    ])
    const [reply] = ask(encodeUdpPacket({ address: A, port: 999 }, { address: SERVICE, port: 53 }, query))
    await settle()
    const segment = decodeUdp(decodeIpPacket(reply!)!.payload)!
    expect(segment).toMatchObject({ sourcePort: 53, destinationPort: 999 })
    expect([...segment.payload.subarray(-4)]).toEqual([...B])
  })

  test('threat 33: answers this node alone, and nobody for whom it forwards', () => {
    const { a } = makeWire()
    const got: Uint8Array[] = []
    a.engine.setHost({ write: (batch) => got.push(...packetsOf(batch)) })
    const echo = { kind: 'request', identifier: 4, sequence: 5, data: new Uint8Array(3) } as const
    const neighbour = parseAddress('192.168.1.7')!
    a.engine.fromOverlay(batchOf([encodeIcmpEcho(neighbour, SERVICE, echo)]))
    a.engine.takeUp(encodeIcmpEcho(neighbour, SERVICE, echo), -1)
    expect([got, a.sent, a.engine.drops['foreign-source']]).toEqual([[], [], 2])
    a.engine.fromOverlay(batchOf([encodeIcmpEcho(A, SERVICE, echo)]))
    expect(got).toHaveLength(1)
  })

  test('passes so many queries on and no more, until answers come', async () => {
    const answers: (() => void)[] = []
    const forward = (query: Uint8Array): Promise<Uint8Array> =>
      new Promise((resolve) => answers.push(() => resolve(query)))
    const { a } = makeWire({ forward })
    a.dns.setRecords({ nodes: [], routes: [{ suffix: '', resolvers: ['192.0.2.53'] }] })
    const got: Uint8Array[] = []
    a.engine.setHost({ write: (batch) => got.push(...packetsOf(batch)) })
    const query = Uint8Array.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x62, 0, 0, 1, 0, 1])
    const askAgain = (): void =>
      a.engine.fromOverlay(
        batchOf([encodeUdpPacket({ address: A, port: 9 }, { address: SERVICE, port: 53 }, query)]),
      )
    for (let i = 0; i < 1_000; i += 1) askAgain()
    expect(answers).toHaveLength(256)
    for (const answer of answers.splice(0)) answer()
    await settle()
    expect(got).toHaveLength(256)
    askAgain()
    expect(answers).toHaveLength(1)
  })

  test('refuses TCP at once, and is silent to other UDP', () => {
    const syn = { sequence: 41, acknowledgment: 0, flags: TCP_SYN, window: 100 }
    const [reply] = ask(encodeTcpPacket({ address: A, port: 5 }, { address: SERVICE, port: 81 }, syn))
    const segment = decodeTcp(decodeIpPacket(reply!)!.payload)
    expect(segment).toMatchObject({ flags: TCP_RST | TCP_ACK, acknowledgment: 42, sourcePort: 81 })
    expect(
      ask(encodeUdpPacket({ address: A, port: 5 }, { address: SERVICE, port: 54 }, new Uint8Array(1))),
    ).toEqual([])
  })
})
