// Our node at our control server: what it asks beside its map, over real sockets, down to the answer of our DNS server.
import { Resolver } from 'node:dns/promises'
import { connectControl, type ControlConnection } from '@mesh/control-client/node'
import { type DnsProvider, MemoryDns } from '@mesh/control-server'
import { startControl } from '@mesh/control-server/contract'
import type { ControlListener, ControlOptions } from '@mesh/control-server/node'
import { TxtZone } from '@mesh/dns'
import { listenDns } from '@mesh/dns/node'
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { afterEach, expect, test } from 'vitest'

const NAME = '_acme-challenge.box.mesh.internal'
const open: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close()
})

async function joined(
  change: Partial<ControlOptions> = {},
): Promise<{ control: ControlListener; node: ControlConnection }> {
  const control = await startControl({
    certificates: true,
    ...change,
  })
  open.push(control)
  await control.admin({ verb: 'users create', name: 'ann' })
  const { key } = await control.admin({ verb: 'preauthkeys create', user: 'ann' })
  const node = await new Promise<ControlConnection>((resolve) => {
    const connection = connectControl({
      serverUrl: control.url,
      machineKey: generatePrivateKey(systemRandom),
      nodeKey: generatePrivateKey(systemRandom),
      discoKey: `discokey:${'17'.repeat(32)}`,
      hostinfo: { OS: 'linux', Hostname: 'box' },
      authKey: key,
      onEvent: (event) => {
        if (event.event === 'map') resolve(connection)
      },
    })
    open.push(connection)
  })
  return { control, node }
}

test('a node has a text published that a resolver finds, for its own name alone', async () => {
  const { control, node } = await joined()
  const zone = new TxtZone({
    origin: 'mesh.internal',
    nameservers: ['control.example'],
    texts: (name) => control.textsAt(name),
  })
  const dns = await listenDns({
    host: '127.0.0.1',
    port: 0,
    answer: (query, context) => zone.handleQuery(query, context),
  })
  open.push(dns)
  const resolver = new Resolver({ timeout: 2000, tries: 2 })
  resolver.setServers([`127.0.0.1:${dns.port}`])
  expect(node.map?.dns.CertDomains).toEqual(['box.mesh.internal'])
  expect(await node.ask({ about: 'publish-text', name: NAME, text: 'proof'.padEnd(43, '_') })).toEqual({})
  expect(await resolver.resolveTxt(NAME)).toEqual([['proof'.padEnd(43, '_')]])
  const other = NAME.replace('box', 'other')
  await expect(node.ask({ about: 'publish-text', name: other, text: 'x' })).rejects.toMatchObject({
    code: 'ERR_CONTROL_REFUSED',
  })
  expect(await node.ask({ about: 'feature', feature: 'serve' })).toEqual({ Complete: true })
})

test('a text goes to a DNS elsewhere; when that fails the person hears so, and the log why', async () => {
  const dns = new MemoryDns()
  const { node } = await joined({ dnsProvider: dns })
  expect(await node.ask({ about: 'publish-text', name: NAME, text: 'proof'.padEnd(43, '_') })).toEqual({})
  expect(dns.textsAt(NAME)).toEqual(['proof'.padEnd(43, '_')])
  const logged: object[] = []
  const note = (fields: object): number => logged.push(fields)
  const broken: DnsProvider = {
    publish: () => Promise.reject(new Error('the zone is locked')),
    withdraw: () => Promise.resolve(),
  }
  const other = await joined({ dnsProvider: broken, logger: { info: () => 0, warn: () => 0, error: note } })
  const asked = other.node.ask({ about: 'publish-text', name: NAME, text: 'proof'.padEnd(43, '_') })
  await expect(asked).rejects.toThrow(/could not bring the text into the DNS: its log says why/)
  expect(logged).toEqual([{ error: 'the zone is locked', name: NAME }])
})

test('a node gets a token, keeps attributes, and has its person’s word in the audit log', async () => {
  const { control, node } = await joined()
  expect(await node.ask({ about: 'id-token', audience: 'vault' })).toEqual({
    id_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) as unknown,
  })
  await node.ask({ about: 'attributes', update: { 'custom:rack': 7 } })
  expect((await control.admin({ verb: 'nodes list' }))[0]?.attributes).toEqual({ 'custom:rack': 7 })
  await node.ask({ about: 'audit', action: 'DISCONNECT_NODE', details: 'lunch' })
  expect((await control.ask({ verb: 'audit list', limit: 1 }))[0]).toMatchObject({
    action: 'report',
    after: { did: 'DISCONNECT_NODE', details: 'lunch' },
  })
  expect((await control.ask({ verb: 'nodes c2n', node: '1', path: '/echo' }))?.status).toBe(200)
  await node.close()
  await expect(node.ask({ about: 'feature', feature: 'serve' })).rejects.toMatchObject({
    code: 'ERR_CONTROL_LOST',
  })
})
