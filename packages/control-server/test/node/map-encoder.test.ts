// Maps as bytes: whatever was encoded before, what comes out is the response that went in; and what is kept is bounded.

import { zstdDecompressSync } from 'node:zlib'
import { KEEP_ALIVE_RESPONSE } from '@mesh/wire/control'
import type { MapResponse, Node } from '@mesh/wire/control'
import { describe, expect, test } from 'vitest'
import { MapEncoder } from '../../src/node/map-encoder.ts'
import { MapSlices } from '../../src/node/map-slices.ts'
import { MAX_RAW, rawFrame } from '../../src/node/zstd-raw.ts'
import { hexOf } from '../support.ts'

const NODES = 1000

function node(ID: number, name = `box-${ID}`): Node {
  return {
    ID,
    StableID: `n${ID}`,
    Name: `${name}.mesh.internal.`,
    User: 1,
    Key: `nodekey:${hexOf(ID * 7919)}`,
    Addresses: [`100.64.${ID >> 8}.${ID & 255}/32`],
    AllowedIPs: [`100.64.${ID >> 8}.${ID & 255}/32`],
  }
}

const nodes = Array.from({ length: NODES }, (_, index) => node(index + 1))

function snapshot(viewer: Node, sees: readonly Node[]): MapResponse {
  return {
    Node: viewer,
    Peers: sees.filter(({ ID }) => ID !== viewer.ID),
    ControlTime: '2026-01-01T00:00:00Z',
  }
}

describe.each([true, false])('packed: %s', (packed) => {
  const decode = (message: readonly Uint8Array[]): unknown => {
    const [length, ...parts] = message.map((part) => Buffer.from(part))
    const bytes = Buffer.concat(parts)
    expect(length?.readUInt32LE()).toBe(bytes.length)
    return JSON.parse((packed ? zstdDecompressSync(bytes) : bytes).toString())
  }

  test('control 29: every viewer gets its own snapshot, whoever had one before', () => {
    const encoder = new MapEncoder()
    const even = nodes.filter(({ ID }) => ID % 2 === 0)
    for (const viewer of [nodes[0], nodes[1], nodes[127], nodes[128], nodes[500], nodes[999], nodes[1]])
      for (const sees of [nodes, even, nodes.slice(300), nodes.slice(0, 300), nodes.slice(0, 3), []]) {
        const response = snapshot(viewer as Node, sees)
        expect(decode(encoder.encode(response, packed))).toEqual(response)
      }
  })

  test('a node that changed or went is not what the next viewer gets', () => {
    const encoder = new MapEncoder()
    const viewer = nodes[999] as Node
    encoder.encode(snapshot(viewer, nodes), packed)
    const renamed = nodes.map((each) => (each.ID === 200 ? node(200, 'renamed') : each))
    for (const sees of [renamed, renamed.filter(({ ID }) => ID !== 201), nodes]) {
      const response = snapshot(viewer, sees)
      expect(decode(encoder.encode(response, packed))).toEqual(response)
    }
  })

  test('what many get is encoded once, and of snapshots all slices but the viewer’s own', () => {
    const encoder = new MapEncoder()
    expect(encoder.encode(KEEP_ALIVE_RESPONSE, packed)).toBe(encoder.encode(KEEP_ALIVE_RESPONSE, packed))
    const first = encoder.encode(snapshot(nodes[5] as Node, nodes), packed)
    const second = encoder.encode(snapshot(nodes[900] as Node, nodes), packed)
    expect(second).toHaveLength(first.length)
    const shared = second.filter((part) => first.includes(part))
    // Eight slices lie between the own words in front and the end; two of them are one viewer’s.
    expect(shared).toHaveLength(8 - 2 + 1)
  })

  test('long lists of rules are encoded once for all who have the rule, and stand where they belong', () => {
    const encoder = new MapEncoder()
    const SrcIPs = Array.from({ length: 500 }, (_, i) => `100.64.${i >> 8}.${i & 255}`)
    const principals = SrcIPs.map((nodeIP) => ({ nodeIP }))
    const responses = ['1.1.1.1', 'ü"\n'.repeat(200), ''].map(
      (IP): MapResponse => ({
        PacketFilters: {
          base: [{ SrcIPs, DstPorts: [{ IP, Ports: { First: 22, Last: 22 } }] }, { SrcIPs: [IP] }],
        },
        SSHPolicy: { rules: [{ principals, action: {}, sshUsers: { root: IP } }] },
      }),
    )
    const whole = [
      ...responses,
      ...responses.map((each) => ({ ...each, ControlTime: '2026-01-01T00:00:00Z' })),
    ]
    const messages = whole.map((each) => encoder.encode(each, packed))
    for (const [i, message] of messages.entries()) expect(decode(message)).toEqual(whole[i])
    const [first = [], ...others] = messages
    for (const message of others) expect(message.filter((part) => first.includes(part))).toHaveLength(2)
    const snapshotOf = { ...snapshot(nodes[5] as Node, nodes), ...responses[0] }
    expect(decode(encoder.encode(snapshotOf, packed))).toEqual(snapshotOf)
    expect(decode(encoder.encode(KEEP_ALIVE_RESPONSE, packed))).toEqual(KEEP_ALIVE_RESPONSE)
  })

  test('what is kept does not grow with how often the nodes change', () => {
    const encoder = new MapEncoder()
    let kept = 0
    for (let round = 0; round < 180; round += 1) {
      const changed = nodes.map((each) => ({ ...each, Name: `${'x'.repeat(40)}${100 + round}.` }))
      encoder.encode(snapshot(changed[0] as Node, changed), packed)
      if (round === 80) kept = encoder.kept
    }
    expect(kept).toBeGreaterThan(0)
    expect(encoder.kept).toBeLessThan(1.05 * kept)
  })
})

test('slices that nobody asks for are forgotten for those that are used', () => {
  const slices = new MapSlices()
  const used = nodes.slice(0, 10)
  slices.keep(0, used, new Uint8Array(10))
  for (let place = 1; place <= 100; place += 1) {
    slices.keep(place, nodes.slice(10, 20), new Uint8Array(1 << 20))
    expect(slices.find(0, nodes, 0, 10)).toHaveLength(10)
  }
  expect(slices.find(1, nodes, 10, 20)).toBeUndefined()
  expect(slices.find(100, nodes, 10, 20)).toHaveLength(1 << 20)
  expect(slices.size).toBeLessThan(40 << 20)
})

test('a few bytes are a zstd frame without being packed', () => {
  for (let length = 0; length <= MAX_RAW; length += 1) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 37)
    expect(new Uint8Array(zstdDecompressSync(rawFrame(bytes)))).toEqual(bytes)
  }
  expect(() => rawFrame(new Uint8Array(MAX_RAW + 1))).toThrow(RangeError)
})
