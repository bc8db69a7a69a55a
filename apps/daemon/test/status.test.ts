// `mesh status` and `mesh ip` over a status as the daemon gives it.
import type { PeerStatus, Status } from '@mesh/net'
import { expect, test } from 'vitest'
import { ip, status } from '../src/commands/status.ts'
import { EMPTY_STATUS, namelessSelf } from '../src/empty-status.ts'
import type { LocalClient } from '../src/local-client.ts'

const HOUR = 3_600_000

function peer(name: string, more: Partial<PeerStatus> = {}): PeerStatus {
  return {
    ...namelessSelf(name),
    DNSName: `${name}.mesh.internal.`,
    OS: 'linux',
    UserID: 1,
    Online: true,
    ...more,
  }
}

const PEERS = [
  peer('direct', {
    Active: true,
    CurAddr: '192.0.2.1:7',
    TxBytes: 1,
    RxBytes: 2,
    TailscaleIPs: ['100.64.0.2'],
  }),
  peer('relayed', { Active: true, Relay: 'fra', PathReason: 'our-udp-blocked', UserID: 2 }),
  peer('resting', { TxBytes: 5 }),
  peer('quiet', { Tags: ['tag:web'] }),
  peer('away', { Online: false, LastSeen: new Date(Date.now() - 3.5 * HOUR).toISOString() }),
  peer('lost', { Online: false, Active: true, Relay: 'fra' }),
]

const client = {
  status: () =>
    Promise.resolve({
      ...EMPTY_STATUS,
      BackendState: 'Running',
      TailscaleIPs: ['100.64.0.1', 'fd7a:115c:a1e0::1'],
      Peer: Object.fromEntries(PEERS.map((each) => [each.HostName, each])),
      User: {
        1: { ID: 1, LoginName: 'ann@example.com', DisplayName: 'Ann' },
        2: { ID: 2, LoginName: 'bob', DisplayName: 'Bob' },
      },
    } satisfies Status),
} as unknown as LocalClient

const shown = { self: true, peers: true }

test('a line tells whose a machine is, whether it is there, and the way to it', async () => {
  const lines = (await status(client, shown)).split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '))
  expect(lines).toEqual([
    'away ann@ linux offline, last seen 3h ago',
    '100.64.0.2 direct ann@ linux active; direct 192.0.2.1:7, tx 1 rx 2',
    'lost ann@ linux active; relay "fra"; offline',
    'quiet tagged-devices linux -',
    'relayed bob linux active; relay "fra" (our-udp-blocked)',
    'resting ann@ linux idle, tx 5 rx 0',
  ])
})

test('columns are named when that is asked for, and idle peers left out of the table and the JSON', async () => {
  const lines = (await status(client, { ...shown, active: true, header: true })).split('\n')
  expect(lines.map((line) => line.trim().split(/ +/)[0])).toEqual([
    'IP',
    '--',
    '100.64.0.2',
    'lost',
    'relayed',
  ])
  const { Peer } = JSON.parse(await status(client, { ...shown, active: true, json: true })) as Status
  expect(Object.keys(Peer ?? {})).toEqual(['direct', 'relayed', 'lost'])
})

test('an address that is asserted is looked for, and not printed', async () => {
  expect(await ip(client, undefined, { assert: 'FD7A:115c:a1e0::1' })).toEqual([])
  await expect(ip(client, undefined, { assert: '100.64.0.9' })).rejects.toThrow(
    'This machine has not the address 100.64.0.9, but 100.64.0.1 and fd7a:115c:a1e0::1.',
  )
})
