// What a node answers when control asks its own handlers, and what it says of its health.
import type { CallAnswer, ControlCall } from '@mesh/control-client'
import { applyMapResponse, type NetworkMap } from '@mesh/netmap'
import type { MapResponse } from '@mesh/wire/control'
import { expect, test } from 'vitest'
import { answerControlCall, describeStatus, type StatusSources } from '../src/index.ts'
import { node } from './map-node.ts'

function mapOf(more: MapResponse): NetworkMap {
  const response = { Node: node(1), Peers: [node(2)], Domain: 'mesh.test', ...more }
  const update = applyMapResponse(undefined, response, { wallNow: 0 })
  if (!update) throw new Error('no map')
  return update.map
}

const MESSAGES = {
  b: { Title: 'Routes wait', Text: 'Somebody must approve.', Severity: 'low' },
  a: {
    Title: 'Login\u001b[2J ends',
    Text: 'Soon.',
    Severity: 'high',
    ImpactsConnectivity: true,
    PrimaryAction: { URL: 'https://control/renew', Label: 'Renew' },
  },
}

function statusOf(
  map: NetworkMap | undefined,
  health: readonly string[] = [],
): ReturnType<typeof describeStatus> {
  const sources: StatusSources = {
    state: 'Running',
    tun: false,
    drops: { Gate: { 'no-rule': 3 }, WireGuard: {}, Paths: {} },
    health,
    map,
    ownEndpoints: [],
    homeRelay: 0,
    pathOf: () => undefined,
    pathReasonOf: () => undefined,
    lastHandshakeOf: () => undefined,
  }
  return describeStatus(sources)
}

function call(method: string, target: string, map?: NetworkMap): CallAnswer | undefined {
  const [path = '', query = ''] = target.split('?')
  const asked: ControlCall = { method, path, query, body: new Uint8Array(0) }
  const health = ['It rains.']
  return answerControlCall(asked, { map, health, status: () => statusOf(map, health) })
}

const jsonOf = (answer: CallAnswer | undefined): unknown => JSON.parse(String(answer?.body))

test('the status says what control says, the gravest first, and nothing that steers a terminal', () => {
  const map = mapOf({ DisplayMessages: MESSAGES, Health: ['old', 'It rains.'] })
  expect(statusOf(map, ['It rains.']).Health).toEqual([
    'It rains.',
    'old',
    'Login [2J ends: Soon. Renew: https://control/renew',
    'Routes wait: Somebody must approve.',
  ])
  expect(statusOf(undefined, ['It rains.']).Health).toEqual(['It rains.'])
})

test('control gets the warnings, the map and the counters', () => {
  const map = mapOf({ DisplayMessages: MESSAGES })
  expect(jsonOf(call('GET', '/debug/health', map))).toEqual({
    Warnings: {
      'mesh-trouble-1': {
        WarnableCode: 'mesh-trouble-1',
        Severity: 'medium',
        Title: 'Trouble',
        Text: 'It rains.',
      },
      a: { WarnableCode: 'a', ...MESSAGES.a },
      b: { WarnableCode: 'b', ...MESSAGES.b },
    },
  })
  expect(jsonOf(call('GET', '/debug/netmap', map))).toMatchObject({
    current: { SelfNode: { ID: 1 }, Peers: [{ ID: 2 }], Domain: 'mesh.test' },
  })
  expect(jsonOf(call('GET', '/debug/netmap'))).toEqual({ current: null })
  expect(call('GET', '/debug/metrics', map)?.body).toMatch(
    /^mesh_peers 1\n[^]*^# TYPE mesh_dropped_packets_total counter\nmesh_dropped_packets_total\{by="gate",reason="no-rule"\} 3\n$/m,
  )
})

test('control is told what this node has nothing of, and that other paths are none', () => {
  expect(jsonOf(call('GET', '/update'))).toEqual({ Enabled: false, Supported: false, Started: false })
  expect(jsonOf(call('POST', '/update'))).toMatchObject({ Started: false, Err: expect.any(String) as string })
  expect(jsonOf(call('GET', '/posture/identity'))).toEqual({ PostureDisabled: true })
  expect(jsonOf(call('GET', '/tls-cert-status?domain=a.mesh.test'))).toMatchObject({ Missing: true })
  expect(call('GET', '/tls-cert-status')?.status).toBe(400)
  expect(jsonOf(call('GET', '/vip-services'))).toEqual({ ServicesHash: '' })
  expect(call('POST', '/debug/netmap')?.status).toBe(405)
  expect(call('GET', '/debug/goroutines')).toBeUndefined()
})
