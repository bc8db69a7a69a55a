import type { DnsRecords } from '@mesh/dns'
import { formatDiscoKey, formatNodeKey } from '@mesh/keys'
import type { RelayMap } from '@mesh/magicsock'
import { applyMapResponse, type MapUpdate } from '@mesh/netmap'
import type { MapResponse, Node } from '@mesh/wire/control'
import { decodeIpPacket, formatAddress, formatPrefix } from '@mesh/wire/ip'
import { decodeTsmp } from '@mesh/wire/tsmp'
import type { PeerConfig as WireGuardPeer } from '@mesh/wireguard'
import { describe, expect, test } from 'vitest'
import { describeStatus, PeerTable, reconcile, type Rooms, type Terms } from '../src/index.ts'

const key = (n: number): Uint8Array => new Uint8Array(32).fill(n)

function node(id: number, more: Partial<Node> = {}): Node {
  const ip = `100.64.0.${id}/32`
  return {
    ID: id,
    StableID: `n${id}`,
    Name: `host${id}.mesh.test.`,
    User: 1,
    Key: formatNodeKey(key(id)),
    DiscoKey: formatDiscoKey(key(100 + id)),
    Addresses: [ip, `fd7a:115c:a1e0::${id}/128`],
    AllowedIPs: [ip, `fd7a:115c:a1e0::${id}/128`],
    Endpoints: [`192.0.2.${id}:41641`],
    HomeDERP: 900,
    Online: true,
    MachineAuthorized: true,
    ...more,
  }
}

const RELAY = { Name: '900a', RegionID: 900, HostName: '127.0.0.1', IPv6: 'none', DERPPort: 1, STUNPort: 2 }
const SNAPSHOT: MapResponse = {
  Node: node(1),
  Peers: [node(2), node(3)],
  DERPMap: { Regions: { 900: { RegionID: 900, RegionCode: 'mesh', RegionName: 'Mesh', Nodes: [RELAY] } } },
  DNSConfig: { Proxied: true, ExtraRecords: [{ Name: 'db.mesh.test', Value: '100.64.0.3' }] },
  Domain: 'mesh.test',
  PacketFilter: [],
  UserProfiles: [{ ID: 1, LoginName: 'ann', DisplayName: 'Ann' }],
}

/** Rooms that write down what they are told, in short. */
function makeRooms(): { rooms: Rooms; told: string[] } {
  const told: string[] = []
  const rooms: Rooms = {
    peers: new PeerTable(),
    discoKey: key(99),
    wireguard: {
      setPeers: (peers) => {
        const list = peers.map((peer) => `${peer.id}:${peer.allowedIps.map(formatPrefix).join('+')}`)
        told.push(`wireguard ${list.join(' ')}`)
      },
    },
    paths: {
      setPeers: (peers) =>
        told.push(`paths ${peers.map((peer) => `${peer.id}@${peer.homeRelay}`).join(' ')}`),
      setRelays: (relays) => {
        const [first] = relays.get(900)?.nodes ?? []
        told.push(
          `relays ${[...relays.keys()].join()} ${first?.ipv4?.join('.')} ${first?.ipv6?.join() ?? 'none'} ${first?.stunPort}`,
        )
      },
      setHabits: (habits) => {
        for (const [habit, isKept] of Object.entries(habits)) if (isKept === true) told.push(habit)
      },
    },
    setFilter: ({ rules, localPrefixes }) =>
      told.push(`filter ${rules?.length} for ${localPrefixes?.join(' ')}`),
    setTerms: ({ peers }) => peers.length > 0 && told.push(`terms of ${peers.length}`),
    dns: {
      setRecords: (records) => {
        told.push(`dns ${records.suffix} ${records.nodes?.length} ${records.extra?.length}`)
        return 0
      },
    },
    onHostRoutes: ({ addresses, routes }) => told.push(`host ${addresses.join(' ')} > ${routes.join(' ')}`),
  }
  return { rooms, told }
}

function apply(before: MapUpdate | undefined, response: MapResponse): MapUpdate {
  const update = applyMapResponse(before?.map, response, { wallNow: Date.UTC(2026, 10, 1) })
  if (!update) throw new Error('the response does not apply')
  return update
}

describe('reconcile', () => {
  test('tells every room what the first map means, paths before keys', () => {
    const { rooms, told } = makeRooms()
    const { map, changes } = apply(undefined, SNAPSHOT)
    reconcile(map, changes, rooms)
    expect(told).toEqual([
      'relays 900 127.0.0.1 none 2',
      'paths 0@900 1@900',
      'wireguard 0:100.64.0.2/32+fd7a:115c:a1e0::2/128 1:100.64.0.3/32+fd7a:115c:a1e0::3/128',
      'filter 0 for 100.64.0.1/32 fd7a:115c:a1e0::1/128',
      'dns mesh.test 3 1',
      'host 100.64.0.1/32 fd7a:115c:a1e0::1/128 > 100.100.100.100/32 100.64.0.2/32 100.64.0.3/32 fd7a:115c:a1e0::/48',
    ])
  })

  test('W18 every session is opened by our disco key, from our address to the first of the peer’s; none for plain WireGuard', () => {
    const { rooms } = makeRooms()
    let peers: readonly WireGuardPeer[] = []
    const wireguard = { setPeers: (told: readonly WireGuardPeer[]) => void (peers = told) }
    const Peers = [node(2), node(3, { IsWireGuardOnly: true })]
    const { map, changes } = apply(undefined, { ...SNAPSHOT, Peers })
    reconcile(map, changes, { ...rooms, wireguard })
    const [first, plain] = peers.map(({ priorityPacket }) => priorityPacket)
    expect(plain).toBeUndefined()
    const packet = decodeIpPacket(first ?? new Uint8Array())
    expect([
      formatAddress(packet?.source ?? key(0)),
      formatAddress(packet?.destination ?? key(0)),
      packet?.protocol,
    ]).toEqual(['100.64.0.1', '100.64.0.2', 99])
    expect(decodeTsmp(packet?.payload ?? key(0))).toEqual({ kind: 'disco-key', discoKey: key(99) })
  })

  test('D20 a peer that knows this node by another address hears the disco key from there, and the gate of its terms before', () => {
    const { rooms, told } = makeRooms()
    const sources: string[] = []
    const wireguard = {
      setPeers: (peers: readonly WireGuardPeer[]) => {
        told.push('wireguard')
        for (const { priorityPacket = key(0) } of peers)
          sources.push(formatAddress(decodeIpPacket(priorityPacket)!.source))
      },
    }
    const terms: Terms[] = []
    const setTerms = (of: Terms): void => {
      told.push('terms')
      terms.push(of)
    }
    const special = { SelfNodeV4MasqAddrForThisPeer: '100.99.0.7', SelfNodeV6MasqAddrForThisPeer: 'fd00::7' }
    const first = apply(undefined, { ...SNAPSHOT, Peers: [node(2, special), node(3)] })
    reconcile(first.map, first.changes, { ...rooms, wireguard, setTerms })
    expect(sources).toEqual(['100.99.0.7', '100.64.0.1'])
    expect(told.filter((line) => line === 'terms' || line === 'wireguard')).toEqual(['terms', 'wireguard'])
    expect(terms[0]?.own.map(formatAddress)).toEqual(['100.64.0.1', 'fd7a:115c:a1e0::1'])
    expect(terms[0]?.peers.map(({ shown }) => shown.map(formatAddress))).toEqual([
      ['100.99.0.7', 'fd00::7'],
      [],
    ])
    for (const PeersChanged of [[node(2)], [node(2, { IsJailed: true })], [node(2)], [node(3, special)]]) {
      const { map, changes } = apply(first, { PeersChanged })
      reconcile(map, changes, { ...rooms, wireguard, setTerms })
    }
    expect(terms.map(({ peers }) => peers.length)).toEqual([2, 0, 2, 0, 2])
    expect(terms[2]?.peers.map(({ isJailed }) => isJailed)).toEqual([true, false])
  })

  test('the opening packets come from another address once this node has one', () => {
    const { rooms } = makeRooms()
    const sources: string[] = []
    const wireguard = {
      setPeers: ([first]: readonly WireGuardPeer[]) =>
        void sources.push(formatAddress(decodeIpPacket(first?.priorityPacket ?? key(0))!.source)),
    }
    const before = apply(undefined, SNAPSHOT)
    reconcile(before.map, before.changes, { ...rooms, wireguard })
    const after = apply(before, { Node: node(1, { Addresses: ['100.64.0.77/32'] }) })
    reconcile(after.map, after.changes, { ...rooms, wireguard })
    expect(sources).toEqual(['100.64.0.1', '100.64.0.77'])
  })

  test('keeps paths as the node attributes say', () => {
    const { rooms, told } = makeRooms()
    const CapMap = { 'silent-disco': null, 'probe-udp-lifetime': null, 'peer-mtu-enable': null }
    const { map, changes } = apply(undefined, { ...SNAPSHOT, Node: node(1, { CapMap }) })
    reconcile(map, changes, rooms)
    expect(told).toEqual(expect.arrayContaining(['silentDisco', 'probeUdpLifetime', 'probePathMtu']))
  })

  test('leaves a relay that has only a DNS name to be looked up, so that STUN can find it', () => {
    const { rooms } = makeRooms()
    let relays: RelayMap = new Map()
    const named = { Name: '900a', RegionID: 900, HostName: 'relay.example' }
    const region = { RegionID: 900, RegionCode: 'mesh', RegionName: 'Mesh', Nodes: [named] }
    const DERPMap = { Regions: { 900: region }, HomeParams: { RegionScore: { 900: -1 } } }
    const { map, changes } = apply(undefined, { ...SNAPSHOT, DERPMap })
    const paths = { ...rooms.paths, setRelays: (told: RelayMap) => (relays = told) }
    reconcile(map, changes, { ...rooms, paths })
    expect(relays.get(900)).toMatchObject({ score: 1, nodes: [{ hostName: 'relay.example', lookUp: true }] })
  })

  test('names of elsewhere go to the resolvers of the map, and to its fallback when it has no others', () => {
    const told: DnsRecords[] = []
    const { rooms } = makeRooms()
    const dns = { setRecords: (records: DnsRecords) => told.push(records) }
    const FallbackResolvers = [{ Addr: '192.0.2.53' }]
    for (const more of [{}, { Resolvers: [] }, { Resolvers: [{ Addr: '192.0.2.1' }] }]) {
      const { map, changes } = apply(undefined, { ...SNAPSHOT, DNSConfig: { FallbackResolvers, ...more } })
      reconcile(map, changes, { ...rooms, dns })
    }
    const resolvers = told.map(({ routes }) => routes?.find(({ suffix }) => suffix === '')?.resolvers)
    expect(resolvers).toEqual([['192.0.2.53'], ['192.0.2.53'], ['192.0.2.1']])
  })

  test('of two nodes with one key the first counts, and the second does not take its addresses', () => {
    const { rooms, told } = makeRooms()
    const double = node(3, { Key: formatNodeKey(key(2)) })
    const { map, changes } = apply(undefined, { ...SNAPSHOT, Peers: [node(2), double] })
    reconcile(map, changes, rooms)
    expect(told).toContain('wireguard 0:100.64.0.2/32+fd7a:115c:a1e0::2/128')
  })

  test('says nothing where nothing changed, and only paths hear of a new endpoint', () => {
    const { rooms, told } = makeRooms()
    const first = apply(undefined, SNAPSHOT)
    reconcile(first.map, first.changes, rooms)
    told.length = 0
    const same = apply(first, { KeepAlive: true })
    reconcile(same.map, same.changes, rooms)
    expect(told).toEqual([])
    const moved = apply(first, { PeersChangedPatch: [{ NodeID: 2, Endpoints: ['198.51.100.1:1'] }] })
    reconcile(moved.map, moved.changes, rooms)
    expect(told).toEqual(['paths 0@900 1@900'])
  })

  test('gives a peer with another key another number, and never a number twice', () => {
    const { rooms, told } = makeRooms()
    const first = apply(undefined, SNAPSHOT)
    reconcile(first.map, first.changes, rooms)
    const renewed = apply(first, { PeersChanged: [node(2, { Key: formatNodeKey(key(77)) })] })
    reconcile(renewed.map, renewed.changes, rooms)
    expect(told.findLast((line) => line.startsWith('paths'))).toBe('paths 2@900 1@900')
    const gone = apply(renewed, { PeersRemoved: [2] })
    reconcile(gone.map, gone.changes, rooms)
    const back = apply(gone, { PeersChanged: [node(2)] })
    reconcile(back.map, back.changes, rooms)
    expect(told.findLast((line) => line.startsWith('paths'))).toBe('paths 3@900 1@900')
  })

  test('threat 19: takes an expired peer away from WireGuard', () => {
    const { rooms, told } = makeRooms()
    const update = apply(undefined, { ...SNAPSHOT, Peers: [node(2, { Expired: true }), node(3)] })
    reconcile(update.map, update.changes, rooms)
    expect(told.find((line) => line.startsWith('wireguard'))).toMatch(/^wireguard 1:/)
  })

  test('takes no subnet or exit route of a peer unasked', () => {
    const { rooms, told } = makeRooms()
    const greedy = node(2, { AllowedIPs: ['100.64.0.2/32', '10.0.0.0/8', '0.0.0.0/0', '100.64.0.3/32'] })
    const update = apply(undefined, { ...SNAPSHOT, Peers: [greedy] })
    reconcile(update.map, update.changes, rooms)
    expect(told.find((line) => line.startsWith('wireguard'))).toBe('wireguard 0:100.64.0.2/32')
    expect(told.find((line) => line.startsWith('host'))).not.toContain('10.0.0.0')
  })
})

test('a status says of each peer who it is, whose, and how it is reached', () => {
  const { map } = apply(undefined, SNAPSHOT)
  const status = describeStatus({
    state: 'Running',
    tun: true,
    health: [],
    map,
    ownEndpoints: ['192.0.2.1:41641'],
    homeRelay: 900,
    pathReasonOf: () => 'our-nat-varies',
    lastHandshakeOf: () => Date.UTC(2026, 0, 2),
    pathOf: (peer) => ({
      endpoint: peer.endpoints[0],
      bestEndpoint: peer.endpoints[0],
      peerRelay: undefined,
      latency: 3,
      mtu: 1_360,
      lifetime: undefined,
      homeRelay: 900,
      active: true,
      lastSend: 0,
      candidates: [],
      traffic: {
        sentDirect: { packets: 3, bytes: 300 },
        sentPeerRelay: { packets: 0, bytes: 0 },
        sentRelay: { packets: 1, bytes: 10 },
        receivedDirect: { packets: 2, bytes: 200 },
        receivedPeerRelay: { packets: 0, bytes: 0 },
        receivedRelay: { packets: 0, bytes: 0 },
      },
    }),
  })
  expect(status).toMatchObject({
    BackendState: 'Running',
    TailscaleIPs: ['100.64.0.1', 'fd7a:115c:a1e0::1'],
    MagicDNSSuffix: 'mesh.test',
    CurrentTailnet: { MagicDNSEnabled: true },
    Self: { DNSName: 'host1.mesh.test.', Relay: 'mesh', Addrs: ['192.0.2.1:41641'], Online: true },
    User: { '1': { LoginName: 'ann' } },
  })
  expect(status.Peer?.[formatNodeKey(key(2))]).toMatchObject({
    DNSName: 'host2.mesh.test.',
    CurAddr: '192.0.2.2:41641',
    Relay: 'mesh',
    Active: true,
    TxBytes: 310,
    RxBytes: 200,
    Paths: { directTx: 3, directRx: 2, relayTx: 1, relayRx: 0 },
    LastHandshake: '2026-01-02T00:00:00.000Z',
  })
})
