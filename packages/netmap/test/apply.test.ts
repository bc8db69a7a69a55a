// The delta rules of the control protocol (§3.5 and §3.6), one sentence each.
import { describe, expect, test } from 'vitest'
import { formatEndpoint } from '@mesh/wire/ip'
import { applyMapResponse, NO_CHANGES, peerById } from '../src/index.ts'
import { apply, discoKey, ids, nodeKey, NOW, peer, SNAPSHOT, snapshot } from './support.ts'

describe('the first message', () => {
  test('control 29: makes a whole map, the peers sorted by number', () => {
    const { map, changes } = applyMapResponse(undefined, SNAPSHOT, { wallNow: NOW })!
    expect(ids(map)).toEqual([8, 9])
    expect(map.self.id).toBe(7)
    expect(map.packetFilter).toHaveLength(1)
    expect(map.userProfiles.get(3)?.LoginName).toBe('ann@example.org')
    expect(changes).toMatchObject({
      added: [8, 9],
      wireguard: true,
      paths: true,
      relays: true,
      filter: true,
      dns: true,
    })
  })

  test('without a node it makes none', () => {
    const { Node: _, ...rest } = SNAPSHOT
    expect(applyMapResponse(undefined, rest, { wallNow: NOW })).toBeUndefined()
    expect(applyMapResponse(undefined, { KeepAlive: true }, { wallNow: NOW })).toBeUndefined()
  })

  test('without a filter nothing comes in', () => {
    const { PacketFilters: _, ...rest } = SNAPSHOT
    expect(applyMapResponse(undefined, rest, { wallNow: NOW })!.map.packetFilter).toEqual([])
  })

  test('control 41: of a new session it is compared with the last of the old, and nothing lingers', () => {
    const before = apply(snapshot(), { PeersChanged: [peer(10)] }).map
    const same = applyMapResponse(undefined, SNAPSHOT, { wallNow: NOW, previous: before })!
    expect(ids(same.map)).toEqual([8, 9])
    expect(same.changes).toMatchObject({ added: [], removed: [10], changed: [], self: false })
    const again = applyMapResponse(undefined, SNAPSHOT, { wallNow: NOW, previous: same.map })!
    expect(again.changes).toMatchObject({
      wireguard: false,
      paths: false,
      relays: false,
      filter: false,
      dns: false,
    })
    expect(again.map.peers).toBe(same.map.peers)
    expect(again.map.self).toBe(same.map.self)
  })
})

describe('peers', () => {
  test('control 36: an empty list of peers changes nothing; removing is said by number', () => {
    const map = snapshot()
    expect(apply(map, { Peers: [] }).map.peers).toBe(map.peers)
    const { map: empty, changes } = apply(map, { PeersRemoved: [8, 9, 4711] })
    expect(ids(empty)).toEqual([])
    expect(changes).toMatchObject({ removed: [8, 9], wireguard: true, paths: true, dns: true, routes: true })
  })

  test('a list of peers replaces all, and other peer changes in that message do not count', () => {
    const { map } = apply(snapshot(), {
      Peers: [peer(8), peer(11)],
      PeersRemoved: [8],
      OnlineChange: { 8: false },
    })
    expect(ids(map)).toEqual([8, 11])
    expect(peerById(map, 8)?.online).toBe(true)
  })

  test('one message removes, adds and patches what it added, in that order', () => {
    const { map, changes } = apply(snapshot(), {
      PeersRemoved: [8],
      PeersChanged: [peer(8, { Name: 'new.mesh.example.' }), peer(12)],
      PeersChangedPatch: [{ NodeID: 12, DERPRegion: 901 }],
    })
    expect(ids(map)).toEqual([8, 9, 12])
    expect(peerById(map, 12)?.homeRelay).toBe(901)
    expect(changes).toMatchObject({ added: [12], removed: [], changed: [8], dns: true })
  })

  test('control 33: a patch of endpoints concerns magicsock alone', () => {
    const { map, changes } = apply(snapshot(), {
      PeersChangedPatch: [{ NodeID: 8, Endpoints: ['203.0.113.5:41641'] }],
    })
    expect(peerById(map, 8)?.endpoints.map(formatEndpoint)).toEqual(['203.0.113.5:41641'])
    expect(changes).toMatchObject({ changed: [8], paths: true, wireguard: false, dns: false, routes: false })
  })

  test('an explicit empty list of endpoints clears them, region 0 changes nothing', () => {
    const { map } = apply(snapshot(), {
      PeersChangedPatch: [{ NodeID: 8, Endpoints: [], DERPRegion: 0, Cap: 0 }],
    })
    expect(peerById(map, 8)?.endpoints).toEqual([])
    expect(peerById(map, 8)?.homeRelay).toBe(900)
  })

  test('control 20: a patch renews keys in place', () => {
    const { map, changes } = apply(snapshot(), {
      PeersChangedPatch: [{ NodeID: 8, Key: nodeKey(0xaa), DiscoKey: discoKey(0xbb), Online: true }],
    })
    expect(peerById(map, 8)?.nodeKey).toEqual(new Uint8Array(32).fill(0xaa))
    expect(peerById(map, 8)?.discoKey).toEqual(new Uint8Array(32).fill(0xbb))
    expect(changes).toMatchObject({ added: [], removed: [], changed: [8], wireguard: true, paths: true })
  })

  test('control 35: going offline is only for people to see', () => {
    const { map, changes } = apply(snapshot(), {
      PeersChangedPatch: [{ NodeID: 8, Online: false, LastSeen: '2026-01-02T04:00:00Z' }],
    })
    expect(peerById(map, 8)).toMatchObject({ online: false, lastSeen: Date.UTC(2026, 0, 2, 4) })
    expect(changes).toMatchObject({ changed: [8], status: true, wireguard: false, paths: false })
  })

  test('D20: by which address a peer knows this node, and whether it may only answer, concerns WireGuard', () => {
    for (const terms of [
      { SelfNodeV4MasqAddrForThisPeer: '100.99.0.7' },
      { SelfNodeV6MasqAddrForThisPeer: 'fd00::7' },
      { IsJailed: true },
    ]) {
      const { map, changes } = apply(snapshot(), { PeersChanged: [peer(8, terms)] })
      expect(changes).toMatchObject({ changed: [8], wireguard: true, paths: false, routes: false })
      expect(apply(map, { PeersChanged: [peer(8, terms)] }).changes.wireguard).toBe(false)
      expect(apply(map, { PeersChanged: [peer(8)] }).changes.wireguard).toBe(true)
    }
  })

  test('being online, and when a peer was seen, may come by number', () => {
    const { map } = apply(snapshot(), { OnlineChange: { 8: false, 4711: true }, PeerSeenChange: { 8: true } })
    expect(peerById(map, 8)).toMatchObject({ online: false, lastSeen: NOW })
    expect(ids(map)).toEqual([8, 9])
    const cleared = apply(map, { PeerSeenChange: { 8: false } }).map
    expect(peerById(cleared, 8)?.lastSeen).toBeUndefined()
  })

  test('a patch for nobody is ignored', () => {
    const map = snapshot()
    const update = apply(map, {
      PeersChangedPatch: [
        { NodeID: 0, Online: false },
        { NodeID: 4711, Online: false },
      ],
    })
    expect(update.map.peers).toBe(map.peers)
  })

  test('a peer sent again as it was changes nothing', () => {
    const map = snapshot()
    const update = apply(map, { PeersChanged: [peer(8)] })
    expect(update.map.peers).toBe(map.peers)
    expect(update.changes).toEqual(NO_CHANGES)
  })

  test('a capability map is replaced whole, and an empty one clears', () => {
    const map = apply(snapshot(), { PeersChangedPatch: [{ NodeID: 8, CapMap: { a: null } }] }).map
    expect(peerById(map, 8)?.source.CapMap).toEqual({ a: null })
    const cleared = apply(map, { PeersChangedPatch: [{ NodeID: 8, CapMap: {} }] }).map
    expect(peerById(cleared, 8)?.source.CapMap).toEqual({})
  })
})

describe('what a node says', () => {
  test('absent allowed IPs are its addresses, an empty list is none', () => {
    const { map } = apply(snapshot(), { PeersChanged: [peer(8), peer(9, { AllowedIPs: [] })] })
    expect(peerById(map, 8)?.allowedIps).toEqual(peerById(map, 8)?.addresses)
    expect(peerById(map, 9)?.allowedIps).toEqual([])
  })

  test('a node that may only use the peer API unsigned gets no routes', () => {
    const routes = { AllowedIPs: ['100.64.0.8/32', '10.0.0.0/8'] }
    expect(peerById(apply(snapshot(), { PeersChanged: [peer(8, routes)] }).map, 8)?.allowedIps).toHaveLength(
      2,
    )
    const jailed = peer(8, { ...routes, UnsignedPeerAPIOnly: true })
    const map = apply(snapshot(), { PeersChanged: [jailed] }).map
    expect(peerById(map, 8)?.allowedIps).toEqual(peerById(map, 8)?.addresses)
  })

  test('an older server writes the home relay as an address', () => {
    const { HomeDERP: _, ...rest } = peer(8)
    const { map } = apply(snapshot(), { PeersChanged: [{ ...rest, DERP: '127.3.3.40:17' }] })
    expect(peerById(map, 8)?.homeRelay).toBe(17)
  })

  test('a zero disco key is none', () => {
    const { map } = apply(snapshot(), { PeersChanged: [peer(8, { DiscoKey: discoKey(0) })] })
    expect(peerById(map, 8)?.discoKey).toBeUndefined()
  })

  test('a prefix or an endpoint that cannot be read is left out, the rest stays', () => {
    const odd = peer(8, {
      Addresses: ['100.64.0.8/32', '100.64.0.8', 'x/1'],
      Endpoints: ['host:1', '192.0.2.1:1'],
    })
    const { map } = apply(snapshot(), { PeersChanged: [odd] })
    expect(peerById(map, 8)?.addresses).toHaveLength(1)
    expect(peerById(map, 8)?.endpoints.map(formatEndpoint)).toEqual(['192.0.2.1:1'])
  })
})

describe('the packet filter', () => {
  const rule = (source: string) => ({ SrcIPs: [source] })

  test('comes in named parts, put together in the order of their names', () => {
    let map = snapshot({ PacketFilters: { base: [rule('2')], another: [rule('1')] } })
    expect(map.packetFilter.map((r) => r.SrcIPs[0])).toEqual(['1', '2'])
    map = apply(map, { PacketFilters: { zero: [rule('3')], another: null } }).map
    expect(map.packetFilter.map((r) => r.SrcIPs[0])).toEqual(['2', '3'])
  })

  test('the older field is the part named base', () => {
    const { map, changes } = apply(snapshot(), { PacketFilter: [rule('9')] })
    expect(map.packetFilter).toEqual([rule('9')])
    expect(changes).toMatchObject({ filter: true, wireguard: false, paths: false })
  })

  test('control 39: an explicit empty part lets nothing in', () => {
    expect(apply(snapshot(), { PacketFilters: { base: [] } }).map.packetFilter).toEqual([])
    expect(apply(snapshot(), { PacketFilter: [] }).map.packetFilter).toEqual([])
  })

  test('a star with null clears every part before the rest counts', () => {
    const map = snapshot({ PacketFilters: { a: [rule('1')], b: [rule('2')] } })
    const { map: next } = apply(map, { PacketFilters: { '*': null, c: [rule('3')] } })
    expect(next.packetFilter.map((r) => r.SrcIPs[0])).toEqual(['3'])
  })

  test('the same rules again are no change', () => {
    const map = snapshot()
    const update = apply(map, { PacketFilters: SNAPSHOT.PacketFilters! })
    expect(update.map.packetFilter).toBe(map.packetFilter)
    expect(update.changes.filter).toBe(false)
  })
})

describe('everything else', () => {
  test('relays that are absent stay, an empty map takes them all away', () => {
    const map = snapshot()
    const scored = apply(map, { DERPMap: { HomeParams: { RegionScore: { 900: 0.5 } } } }).map
    expect(Object.keys(scored.derpMap?.Regions ?? {})).toEqual(['900', '901'])
    expect(scored.derpMap?.HomeParams?.RegionScore).toEqual({ 900: 0.5 })
    const { map: wiped, changes } = apply(scored, { DERPMap: { Regions: {} } })
    expect(wiped.derpMap?.Regions).toEqual({})
    expect(wiped.derpMap?.HomeParams?.RegionScore).toEqual({ 900: 0.5 })
    expect(changes.relays).toBe(true)
  })

  test('a keep-alive changes nothing, whatever else it carries', () => {
    const map = snapshot()
    const update = apply(map, { KeepAlive: true, PeersRemoved: [8], Domain: 'other' })
    expect(update.map).toBe(map)
    expect(update.changes).toBe(NO_CHANGES)
  })

  test('users are added and renewed, never taken away', () => {
    const { map } = apply(snapshot(), { UserProfiles: [{ ID: 4, LoginName: 'bob', DisplayName: 'Bob' }] })
    expect([...map.userProfiles.keys()]).toEqual([3, 4])
  })

  test('messages are taken away by null, all of them by a star', () => {
    const hello = { Title: 'a', Text: 'b' }
    const map = apply(snapshot(), { DisplayMessages: { x: hello, y: hello } }).map
    expect([...apply(map, { DisplayMessages: { x: null } }).map.messages.keys()]).toEqual(['y'])
    expect([...apply(map, { DisplayMessages: { '*': null, z: hello } }).map.messages.keys()]).toEqual(['z'])
  })

  test('an empty network name leaves the name alone', () => {
    expect(apply(snapshot(), { Domain: '' }).map.domain).toBe('mesh.example')
    expect(apply(snapshot(), { Domain: 'other' })).toMatchObject({
      map: { domain: 'other' },
      changes: { status: true },
    })
  })

  test('this node moving to another address concerns filter, DNS and routes, and what opens its sessions', () => {
    const { changes } = apply(snapshot(), { Node: peer(7, { Addresses: ['100.64.0.99/32'] }) })
    expect(changes).toMatchObject({
      self: true,
      filter: true,
      dns: true,
      routes: true,
      wireguard: true,
      paths: false,
    })
  })

  test('an SSH policy is replaced whole', () => {
    const { map, changes } = apply(snapshot(), { SSHPolicy: { rules: [] } })
    expect(map.sshPolicy).toEqual({ rules: [] })
    expect(changes.ssh).toBe(true)
  })

  test('the old map is never touched', () => {
    const map = snapshot()
    const before = structuredClone(map)
    apply(map, {
      PeersRemoved: [8],
      PacketFilters: { base: null },
      DNSConfig: {},
      PeersChangedPatch: [{ NodeID: 9, Cap: 1 }],
    })
    expect(structuredClone(map)).toEqual(before)
  })
})
