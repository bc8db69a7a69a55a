// Two hosts behind NATs that draw a port for every destination: by themselves they stay on the relay. With miniupnpd
// on one router, by whatever protocol it is allowed to speak, they are direct.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { eventually, type Lab, netnsTest } from '../netns/support.ts'
import { ROUTERS } from './nat-rules.ts'
import { Street } from './street.ts'
import { type Host, openTown } from './town.ts'
import { WITNESSED_MIN, witnessed } from './witness.ts'

const test = netnsTest('nft', 'miniupnpd', 'sysctl')

const RELAY_PROGRAM = new URL('programs/relays.ts', import.meta.url)
/** It refuses to map on documentation addresses: these are somebody's, but no packet leaves the namespaces. */
const RELAYS = ['2.1.1.10', '2.1.1.11'] as const
const OUTSIDE = '2.1.1.101'
const CELL = 'mapped'
const BURST = 20

const MINIUPNPD_TABLE = `table inet filter {
  chain miniupnpd { }
  chain forward { type filter hook forward priority -1; policy accept; jump miniupnpd; }
  chain prerouting_miniupnpd { }
  chain prerouting { type nat hook prerouting priority -101; policy accept; jump prerouting_miniupnpd; }
  chain postrouting_miniupnpd { }
  chain postrouting { type nat hook postrouting priority 99; policy accept; jump postrouting_miniupnpd; }
}`

/** It speaks PCP wherever it speaks NAT-PMP, on the same port: the kernel drops what begins with the latter's version. */
const NO_NAT_PMP = `table inet no_nat_pmp {
  chain input { type filter hook input priority -5; policy accept; udp dport 5351 @th,64,8 0 drop; }
}`

interface Speech {
  /** What comes to port 5351: NAT-PMP and PCP, the latter alone, or nothing. */
  readonly port5351: 'both' | 'pcp' | 'closed'
  readonly upnp: boolean
}

test.for([
  ['nat-pmp', { port5351: 'both', upnp: false }],
  ['pcp', { port5351: 'pcp', upnp: false }],
  ['upnp', { port5351: 'closed', upnp: true }],
] as const)(
  'two hard NATs are direct once one router maps a port by %s',
  async ([service, speech], { lab }) => {
    const folder = mkdtempSync(join(tmpdir(), 'mesh-nat-'))
    try {
      const { mapped, other } = await build(lab, speech, folder)
      const news = await mapped.hear('port-map', CELL)
      expect(news.service).toBe(service)
      expect(news.external).toMatch(/^2\.1\.1\.101:\d+$/)
      await meet(mapped, other)
      await eventually(
        'both sides direct',
        async () => (mapped.isDirect(CELL) && other.isDirect(CELL)) || undefined,
        30_000,
      )
      for (const street of [mapped, other]) {
        street.order({ order: 'burst', cell: CELL, length: WITNESSED_MIN, count: BURST })
      }
      await eventually('the burst to be seen', async () => {
        const seen = await Promise.all([mapped, other].map(async ({ host }) => witnessed(host.socket)))
        return seen.every((lengths) => (lengths.get(WITNESSED_MIN) ?? 0) >= BURST) || undefined
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)

async function build(lab: Lab, speech: Speech, folder: string): Promise<{ mapped: Street; other: Street }> {
  const town = await openTown(lab)
  const servers = await town.host('relays', RELAYS, [])
  await servers.inside.startNode(RELAY_PROGRAM, ...RELAYS).waitFor(/listening/, 30_000)
  const kind = ROUTERS.sym
  const home = await town.home({ name: 'a', outside: OUTSIDE, network: '192.168.1', kind, routes: [] })
  const away = await town.home({ name: 'b', outside: '2.1.1.102', network: '192.168.2', kind, routes: [] })
  await startMiniupnpd(home, speech, folder)
  const [mapped, other] = [new Street(home, RELAYS), new Street(away, RELAYS)]
  mapped.order({ order: 'open', cell: CELL, portMapping: true })
  other.order({ order: 'open', cell: CELL })
  return { mapped, other }
}

/** The peers are introduced as before the mapping was there: the rest is told by call-me-maybe. */
async function meet(one: Street, two: Street): Promise<void> {
  const [first, second] = await Promise.all([one.hear('ready', CELL), two.hear('ready', CELL)])
  one.order({ order: 'meet', cell: CELL, peer: second })
  two.order({ order: 'meet', cell: CELL, peer: first })
}

async function startMiniupnpd(
  { edge, inside }: Host,
  { port5351, upnp }: Speech,
  folder: string,
): Promise<void> {
  const rules = port5351 === 'pcp' ? [MINIUPNPD_TABLE, NO_NAT_PMP] : [MINIUPNPD_TABLE]
  writeFileSync(join(folder, 'rules.nft'), rules.join('\n'))
  await edge.run('nft', '-f', join(folder, 'rules.nft'))
  for (const [where, device] of [
    [edge, 'lan'],
    [inside, 'eth0'],
  ] as const) {
    await where.run('ip', 'route', 'add', '239.0.0.0/8', 'dev', device)
  }
  const settings = [
    'ext_ifname=wan',
    'listening_ip=lan',
    `enable_natpmp=${port5351 === 'closed' ? 'no' : 'yes'}`,
    `enable_upnp=${upnp ? 'yes' : 'no'}`,
    'secure_mode=yes',
    'system_uptime=no',
    'uuid=11111111-2222-3333-4444-555555555555',
    'ipv6_disable=yes',
    'http_port=49152',
    'allow 1024-65535 192.168.1.0/24 1024-65535',
    'deny 0-65535 0.0.0.0/0 0-65535',
  ]
  const file = join(folder, 'miniupnpd.conf')
  writeFileSync(file, `${settings.join('\n')}\n`)
  const daemon = edge.start('miniupnpd', '-d', '-f', file, '-P', join(folder, 'pid'))
  await daemon.waitFor(/HTTP listening|Listening for NAT-PMP|listening/i).catch((error: unknown) => {
    throw new Error(`miniupnpd: ${daemon.output}`, { cause: error })
  })
}
