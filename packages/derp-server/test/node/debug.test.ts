// What only the one who runs the relay may see.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { publicKeyOf } from '@mesh/keys'
import { createPageServer, debugPage, isLoopback } from '../../src/node/index.ts'
import { dataPacket, RELAY_PRIVATE_KEY } from '../support.ts'
import { listen, RawClient } from './support.ts'

const SERVER_KEY = publicKeyOf(RELAY_PRIVATE_KEY)
const PATHS = [
  '/metrics',
  '/debug',
  '/debug/',
  '/debug/vars',
  '/debug/varz',
  '/debug/traffic',
  '/debug/check',
]

test('S17: counters come as Prometheus text, one HELP and TYPE a metric, and follow the traffic', async () => {
  await using server = await listen()
  const pages = createPageServer((request) => debugPage(request, server.relay.stats)).listen(0, '127.0.0.1')
  await once(pages, 'listening')
  const alice = await RawClient.login(server.port, 1, SERVER_KEY)
  alice.send(alice.key, dataPacket(1))
  await alice.until((frame) => frame.type === 5)
  alice.send(new Uint8Array(32), dataPacket(1))
  const url = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`
  const answer = await fetch(`${url}/metrics?x=1`)
  expect(answer.headers.get('content-type')).toContain('version=0.0.4')
  const lines = (await answer.text()).trimEnd().split('\n')
  expect(lines).toContain('mesh_relay_clients 1')
  expect(lines).toContain('mesh_relay_bytes_sent_total 100')
  expect(
    lines.some((line) => /^mesh_relay_packets_dropped_total\{reason="unknown_dest"\} [01]$/.test(line)),
  ).toBe(true)
  for (const line of lines)
    expect(line).toMatch(/^(# (HELP|TYPE) mesh_relay_|mesh_relay_[a-z_]+(\{reason="[\w-]+"\})? \d+$)/)
  expect(await (await fetch(`${url}/debug/vars`)).json()).toMatchObject({ clients: 1, accepted: 1 })
  expect(await (await fetch(`${url}/debug/check`)).text()).toBe('ok\n')
  expect((await fetch(`${url}/debug/nothing`)).status).toBe(404)
  expect((await fetch(`${url}/debug/vars`, { method: 'POST' })).status).toBe(405)
  pages.close().closeAllConnections()
})

test.each(PATHS)('threat 6: %s is on a port of its own, so no proxy makes it everybody’s', async (path) => {
  await using server = await listen()
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`)
  expect([answer.status, await answer.text()]).toEqual([404, ''])
})

test('threat 6: an address that only looks like loopback is not', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].map(isLoopback)).toEqual([true, true, true, true])
  for (const host of ['10.0.0.1', '128.0.0.1', '::', '0.0.0.0', 'fe80::1', '127.evil', 'localhost.evil', ''])
    expect(isLoopback(host)).toBe(false)
})
