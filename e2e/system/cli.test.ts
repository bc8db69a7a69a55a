// The command line against a whole mesh: what it prints, in the shapes that people and scripts know.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalMesh } from '@mesh/demo/local-mesh'
import { afterAll, beforeAll, expect, test } from 'vitest'

const directory = mkdtempSync(join(tmpdir(), 'mesh-cli-'))
const mesh = new LocalMesh({ directory })
let addresses: readonly string[] = []

beforeAll(async () => {
  await mesh.choosePorts()
  await mesh.startRelay()
  await mesh.startControl()
  await mesh.ensureAuthKey()
  await Promise.all(['a', 'b'].map((name) => mesh.startDaemon(name)))
  await Promise.all(['a', 'b'].map((name) => mesh.up(name)))
  addresses = (await mesh.untilPeer('a', 'b')).TailscaleIPs
  await mesh.untilPeer('b', 'a')
})

afterAll(async () => {
  await mesh.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** Runs a verb on node a and returns what it printed; a failure is told with its exit code. */
async function a(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await mesh.mesh('a', ...args)
  return code === 0 ? stdout.trim() : `exit code ${code}: ${stderr.trim()}`
}

test('ping tells the way: the relay when asked to, else straight', async () => {
  expect(await a('ping', '--over-relay', 'b')).toMatch(
    /^pong from b \(100\.\S+\) via DERP\(mesh\) in [\d.]+ms$/,
  )
  const lines = (await a('ping', 'b')).split('\n')
  expect(lines.at(-1)).toMatch(/^pong from b \(100\.\S+\) via \S+:\d+ in [\d.]+ms$/)
  expect(await a('ping', '--icmp', addresses[1] ?? '')).toMatch(/^pong from b \(100\.\S+\) via ICMP in/)
  expect(await a('ping', '--tsmp', '-c', '1', 'b.mesh.internal')).toMatch(/^pong from b .* via TSMP in/)
  expect(JSON.parse(await a('ping', '--json', '--c=1', 'b'))).toMatchObject({ NodeName: 'b', Err: '' })
})

test('ping takes a size, and says by which way such a packet comes', async () => {
  expect(await a('ping', '--size=1200', 'b')).toMatch(/^pong from b .* via \S+:\d+ in/m)
  expect(await a('ping', '--size=9000', '--c=1', '--no-until-direct', 'b')).toMatch(/^pong from b /)
  expect(await a('ping', '--size=100', '--tsmp', 'b')).toMatch(
    /^exit code 1: .*only for pings of type disco\.$/,
  )
  expect(await a('ping', '--size=65476', 'b')).toBe("exit code 1: The 'size' parameter is at most 65475.")
})

test('status tells what was thrown away, by whom and why', async () => {
  const { Drops } = JSON.parse(await a('status', '--json')) as { Drops: Record<string, object> }
  expect(Object.keys(Drops).sort()).toEqual(['Gate', 'Paths', 'WireGuard'])
})

test('status shows every machine, its owner and the way to it', async () => {
  const [self = '', peer = ''] = (await a('status')).split('\n')
  expect(self).toMatch(/^100\.\S+ +a +demo +\S+ +-$/)
  expect(peer).toMatch(/^100\.\S+ +b +demo +\S+ +active; direct \S+:\d+, tx \d+ rx \d+$/)
  const status = JSON.parse(await a('status', '--json')) as { Peer: Record<string, object> }
  const settled = { BackendState: 'Running', TUN: false, MagicDNSSuffix: 'mesh.internal', CertDomains: null }
  expect(status).toMatchObject(settled)
  expect(Object.values(status.Peer)).toMatchObject([
    { DNSName: 'b.mesh.internal.', Online: true, Relay: 'mesh', NodeID: expect.any(Number) as number },
  ])
})

test('ip shows addresses, of this machine or a peer', async () => {
  expect(await a('ip', 'b')).toBe(addresses.join('\n'))
  expect(await a('ip', '-4', 'b')).toBe(addresses[0])
  expect(await a('ip', '-6', 'b')).toBe(addresses[1])
  expect(await a('ip', '-4')).toMatch(/^100\./)
  expect(await a('ip', '-1', 'b')).toBe(addresses[0])
  expect(await a('ip', '-4', '-6')).toBe('exit code 1: Choose one of -1, -4 and -6.')
})

test('status shows as much as is asked for', async () => {
  expect(await a('status', '--peers=false')).toMatch(/^100\.\S+ +a [^\n]*\n\n# Data plane: wasm$/)
  expect(await a('status', '--self=false')).toMatch(/^100\.\S+ +b [^\n]*$/)
  expect(await a('status', '--active', '--self=false')).toMatch(/^100\.\S+ +b .* active; /)
  expect(JSON.parse(await a('status', '--json', '--peers=false'))).toMatchObject({ Peer: null })
})

test('whois tells whose an address is, with a port or without', async () => {
  const said = await a('whois', addresses[0] ?? '')
  expect(said).toMatch(
    /^Machine:\n  Name: +b\.mesh\.internal\n  ID: +\S+\n  Addresses: +\[100\.\S+ fd7a:\S+\]\nUser:\n  Name: +demo\n/,
  )
  expect(await a('whois', `${addresses[0]}:80`)).toBe(said)
  expect(await a('whois', `[${addresses[1]}]:80`)).toBe(said)
  expect(JSON.parse(await a('whois', '--json', addresses[1] ?? ''))).toMatchObject({
    Node: { ComputedName: 'b' },
  })
  expect(await a('whois', '100.64.99.99')).toBe('exit code 1: No node has that address.')
})

test('set changes the name, here and for the others', async () => {
  expect(await a('set')).toBe('exit code 1: Name what to set: --hostname NAME or --relay-server-port PORT.')
  expect(await a('set', '--hostname', 'zed')).toBe('')
  const renamed = async (): Promise<string[]> => {
    const { Peer } = await mesh.status('b')
    return Object.values(Peer ?? {}).map(({ HostName }) => HostName)
  }
  await expect.poll(renamed, { timeout: 10_000 }).toEqual(['zed'])
  // The name of the machine itself is the default.
  expect(await a('up', '--reset')).toBe('')
  await expect.poll(renamed, { timeout: 10_000 }).toEqual([hostname()])
  expect(await a('set', '--hostname', 'a')).toBe('')
  await expect.poll(renamed, { timeout: 10_000 }).toEqual(['a'])
})

test('netcheck shows the relay and its round trip', async () => {
  const report = await a('netcheck')
  expect(report).toMatch(/\* UDP: true/)
  expect(report).toMatch(/- mesh: +[\d.]+[mµ]s/)
  expect(report).toMatch(/\* PortMapping: not checked$/m)
  expect(JSON.parse(await a('netcheck', '--json'))).toMatchObject({
    UDP: true,
    IPv4: true,
    PreferredDERP: 900,
  })
})

test('explain tells why the path is as it is, as text and as JSON', async () => {
  await a('ping', 'b') // a path that nobody uses is given up
  expect(await a('explain', 'b')).toMatch(
    /^Path: direct, \S+:\d+, [\d.]+ ms\nWhy:\n {2}- Packets go straight to the peer\.\n(Packets of \d+ bytes .*\n)?Seen:\n/,
  )
  expect(JSON.parse(await a('explain', '--json', addresses[0] ?? ''))).toMatchObject({
    NodeName: 'b',
    Path: { Kind: 'direct' },
    Causes: [{ Code: 'direct', Certainty: 'certain' }],
    Remedies: [],
  })
  expect(await a('explain', 'nobody')).toBe(
    'exit code 1: No machine in the mesh is called "nobody" or has that address.',
  )
})

test('a name that nobody has is one sentence and exit code 1', async () => {
  expect(await a('ping', 'nobody')).toBe(
    'exit code 1: No machine in the mesh is called "nobody" or has that address.',
  )
})

test('status says what control wants known, and control may ask for health and settings', async () => {
  const soon = new Date(Date.now() + 3_600_000).toISOString()
  await mesh.control('nodes', 'expire', 'a', '--expiry', soon)
  await expect.poll(() => a('status'), { timeout: 20_000 }).toMatch(/^# {5}- Login ends soon: This machine/m)
  const { Health } = JSON.parse(await a('status', '--json')) as { Health: string[] }
  expect(Health).toEqual([expect.stringMatching(/^Login ends soon: /)])
  const ask = async (path: string): Promise<unknown> =>
    JSON.parse(await mesh.control('nodes', 'c2n', 'a', path))
  expect(await ask('/debug/health')).toMatchObject({
    Warnings: { 'mesh-login-ends': { Title: 'Login ends soon', Severity: 'medium' } },
  })
  expect(await ask('/debug/prefs')).toMatchObject({ WantRunning: true })
  expect(await ask('/debug/netmap')).toMatchObject({ current: { Peers: [{ Name: 'b.mesh.internal.' }] } })
  const { Self } = JSON.parse(await a('status', '--json')) as { Self: { KeyExpiry: string } }
  expect(Date.parse(Self.KeyExpiry)).toBeGreaterThan(Date.now())
  await mesh.control('nodes', 'expire', 'a', '--disable')
  await expect.poll(() => a('status'), { timeout: 20_000 }).not.toMatch(/Health check/)
})

test('status says that this node cannot find out how large packets may be, for as long as control wishes it', async () => {
  const say = async (nodeAttrs: readonly object[]): Promise<void> => {
    const file = join(directory, 'policy.json')
    writeFileSync(file, JSON.stringify({ acls: [{ action: 'accept', src: ['*'], dst: ['*:*'] }], nodeAttrs }))
    await mesh.control('policy', 'set', '--file', file)
  }
  await say([{ target: ['*'], attr: ['peer-mtu-enable'] }])
  await expect
    .poll(() => a('status'), { timeout: 20_000 })
    .toMatch(/^# {5}- .* \(peer-mtu-enable\): its sockets/m)
  await say([])
  await expect.poll(() => a('status'), { timeout: 20_000 }).not.toMatch(/Health check/)
})

test('the machine shows who it is, and sets attributes that a policy may ask for', async () => {
  const [, claims = ''] = (await a('id-token', 'vault')).split('.')
  expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ aud: 'vault' })
  expect(await a('attributes', 'custom:tier=prod', 'custom:rack=7')).toBe('')
  const node = JSON.parse(await mesh.control('nodes', 'list', '--json')) as { attributes: object }[]
  expect(node.map(({ attributes }) => attributes)).toContainEqual({ 'custom:tier': 'prod', 'custom:rack': 7 })
  expect(await a('attributes', 'custom:tier=')).toBe('')
  expect(await a('attributes', 'custom:=1')).toMatch(
    /^exit code 1: Write "custom:=1" as custom:name=value\.$/,
  )
})

test('down takes the machine out, up brings it back with its address, logout forgets it', async () => {
  const before = await a('ip')
  expect(await a('down')).toBe('')
  for (const words of [
    ['status'],
    ['ip'],
    ['netcheck'],
    ['explain', 'b'],
    ['whois', '100.64.0.2'],
    ['id-token', 'x'],
  ])
    expect(await a(...words)).toBe('exit code 1: The mesh is stopped on this machine: use mesh up.')
  expect(await a('wait', '--timeout=1s')).toBe(
    'exit code 1: The node is not in the mesh after 1 s (see mesh status).',
  )
  const waiting = a('wait', '--timeout=60s')
  expect(JSON.parse(await a('up', '--json'))).toEqual({ BackendState: 'Running' })
  expect(await waiting).toBe('')
  expect(await a('ip')).toBe(before)
  expect(await a('logout')).toBe('')
  expect(await a('status')).toBe('exit code 1: This machine is logged out: use mesh up.')
  expect(await a('ping', 'b')).toBe('exit code 1: This machine is logged out: use mesh up.')
  const version = await a('--version')
  expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  expect(await a('version', '--daemon')).toMatch(new RegExp(`^Client: ${version}\\n.*\\nDaemon: ${version}$`))
})
