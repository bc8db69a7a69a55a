// Our interface as the system's own tools see it: the README's fifteen lines, `wg` steering it, and roaming.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { generateKeys } from '@mesh/wireguard/node'
import { expect } from 'vitest'
import { eventually, netnsTest } from './support.ts'
import { cabled, OURS, WgSide } from './wg-side.ts'

const test = netnsTest('wg', 'ping')
const README = readFileSync(new URL('../../packages/wireguard/README.md', import.meta.url), 'utf8')
const [, , interfaceOfReadme = ''] = README.split('```ts\n').map((part) => part.split('```')[0] ?? '')

test('the real interface of the README: `wg` sees it, and ping crosses it both ways', async ({ lab }) => {
  const [here, there] = await cabled(lab)
  const folder = mkdtempSync(join(tmpdir(), 'mesh-readme-'))
  try {
    const other = await WgSide.start(there, OURS, { port: 2_000, number: 2 })
    const { privateKey, publicKey } = generateKeys()
    const file = `[Interface]\nPrivateKey = ${privateKey}\nAddress = 10.9.0.1/24, fd00:9::1/64
[Peer]\nPublicKey = ${other.publicKey}\nEndpoint = 192.0.2.2:2000\nAllowedIPs = 10.9.0.2/32, fd00:9::2/128\n`
    writeFileSync(join(folder, 'wg0.conf'), file, { mode: 0o600 })
    // The text as it stands, but for the file and the interface's name, which others on this machine may have.
    const name = `readme${process.pid % 100_000}`
    const code = interfaceOfReadme
      .replace('/etc/wireguard/wg0.conf', join(folder, 'wg0.conf'))
      .replace("'wg0'", `'${name}'`)
    expect(code).toContain(folder)
    writeFileSync(join(folder, 'readme.mts'), code)
    symlinkSync(fileURLToPath(new URL('../node_modules', import.meta.url)), join(folder, 'node_modules'))
    const program = here.startNode(pathToFileURL(join(folder, 'readme.mts')))
    await other.set('peer', publicKey, 'allowed-ips', '10.9.0.1/32,fd00:9::1/128')
    const { stdout } = await eventually('wg to see it', async () =>
      here.run('wg', 'show', name).catch(() => undefined),
    )
    expect(stdout).toContain(`public key: ${publicKey}`)
    await program.waitFor(/ready/)
    expect(await other.ping('10.9.0.1', 1, '-W', '1')).toBe(0) // nobody has told it where that is
    const pinged = await here.run('ping', '-c', '5', '-i', '0.05', '10.9.0.2')
    expect(pinged.stdout).toContain('5 received')
    expect(await other.ping('fd00:9::1', 5)).toBe(5)
    expect(program.output).toMatch(/event: 'established'/)
    await program.stop()
    await expect(here.run('ip', 'link', 'show', name)).rejects.toThrow('does not exist')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.for(['linux', 'portable'] as const)(
  '`wg` sets, shows and replaces everything (%s)',
  async (filling, { lab }) => {
    const [here, there] = await cabled(lab)
    const ours = await WgSide.start(here, OURS, { port: 1_000, number: 1, filling })
    const theirs = await WgSide.start(there, OURS, { port: 2_000, number: 2, filling })
    await theirs.setPeer(ours) // first, for the other one begins at once
    await ours.setPeer(theirs, '[2001:db8::2]:2000', 'persistent-keepalive', '1')
    expect(await ours.ping(theirs.overlay, 10)).toBe(10)
    expect(await theirs.ping(ours.overlay6, 10)).toBe(10)
    const { stdout: shown } = await here.run('wg', 'show', ours.name)
    expect(shown).toMatch(/endpoint: \[2001:db8::2\]:2000/)
    expect(shown).toMatch(/latest handshake: (Now|.*second)/)
    expect(shown).toMatch(/transfer: .* received, .* sent/)
    expect(shown).toMatch(/persistent keepalive: every 1 second/)
    expect(await theirs.show('endpoints')).toBe('[2001:db8::1]:1000')

    // Another port and another family: the other side follows authentic data.
    await ours.set('listen-port', '1001')
    await ours.set('peer', theirs.publicKey, 'endpoint', '192.0.2.2:2000')
    expect(await ours.ping(theirs.overlay, 3)).toBe(3)
    expect(await theirs.show('endpoints')).toBe('192.0.2.1:1001')
    await expect(ours.set('listen-port', '0')).resolves.toBeUndefined()

    // Many peers and prefixes in one request, each prefix with one owner.
    const blocks = Array.from({ length: 20 }, (_, a) => {
      const ips = Array.from({ length: 50 }, (__, b) => `AllowedIPs = ${a + 1}.${b}.0.0/16`)
      return ['[Peer]', `PublicKey = ${generateKeys().publicKey}`, ...ips].join('\n')
    })
    const config = ['[Interface]', `PrivateKey = ${generateKeys().privateKey}`, ...blocks].join('\n')
    await here.run('sh', '-c', `echo "$1" | wg setconf ${ours.name} /dev/stdin`, 'sh', config)
    const { stdout: allowed } = await here.run('wg', 'show', ours.name, 'allowed-ips')
    expect(
      allowed
        .trim()
        .split('\n')
        .map((line) => line.split(/\s/).length),
    ).toEqual(Array.from({ length: 20 }, () => 51))
  },
)

test.for(['linux', 'portable'] as const)(
  'ICMP errors of a peer that is gone disturb nobody (%s)',
  async (filling, { lab }) => {
    const [here, there] = await cabled(lab)
    const ours = await WgSide.start(here, OURS, { port: 1_000, number: 1, filling })
    const gone = await WgSide.start(there, OURS, { port: 2_000, number: 2 })
    const elsewhere = await lab.namespace('elsewhere')
    await lab.cable(here, '198.51.100.1/24', elsewhere, '198.51.100.2/24')
    const alive = await WgSide.start(elsewhere, OURS, { port: 3_000, number: 3 })
    for (const [peer, endpoint] of [
      [gone, '192.0.2.2:2000'],
      [alive, '198.51.100.2:3000'],
    ] as const) {
      await peer.setPeer(ours)
      await ours.setPeer(peer, endpoint)
      expect(await ours.ping(peer.overlay, 3)).toBe(3)
    }
    await gone.process.stop()
    expect(await ours.ping(gone.overlay, 5, '-W', '1')).toBe(0) // each comes back as "port unreachable"
    expect(await ours.ping(alive.overlay, 5)).toBe(5)
    // A host that is not there, and a network without a route, are errors of the send itself.
    for (const nowhere of ['192.0.2.99:2000', '[2001:db8:9::1]:2000']) {
      await ours.set('peer', gone.publicKey, 'endpoint', nowhere)
      expect(await ours.ping(gone.overlay, 1, '-W', '1')).toBe(0)
      expect(await ours.ping(alive.overlay, 3)).toBe(3)
    }
    expect(ours.process.output).not.toMatch(/restarted|failed"/)
  },
)

test('a host with several addresses answers from the one that was asked, and from another when that is gone', async ({
  lab,
}) => {
  const [here, there] = await cabled(lab)
  const [ours, theirs] = [
    await WgSide.start(here, OURS, { port: 1_000, number: 1 }),
    await WgSide.start(there, OURS, { port: 2_000, number: 2 }),
  ]
  await here.run('sysctl', '-qw', 'net.ipv4.conf.all.promote_secondaries=1')
  await here.run('ip', 'address', 'add', '192.0.2.7/24', 'dev', 'eth1')
  await here.run('ip', 'address', 'add', '2001:db8::7/64', 'dev', 'eth1', 'nodad')
  await ours.setPeer(theirs)
  // What went out from another address would move the peer there.
  for (const endpoint of ['192.0.2.7:1000', '[2001:db8::7]:1000', '192.0.2.1:1000', '[2001:db8::1]:1000']) {
    await theirs.setPeer(ours, endpoint)
    expect(await theirs.ping(ours.overlay, 3)).toBe(3)
    expect(await theirs.show('endpoints')).toBe(endpoint)
  }
  await theirs.setPeer(ours, '192.0.2.7:1000')
  expect(await theirs.ping(ours.overlay, 1)).toBe(1)
  await here.run('ip', 'address', 'delete', '192.0.2.7/24', 'dev', 'eth1')
  expect(await ours.ping(theirs.overlay, 3)).toBe(3)
  expect(await theirs.show('endpoints')).toBe('192.0.2.1:1000')
})

test('a hundred thousand routes are set and shown, and an interface made again at once has its name', async ({
  lab,
}) => {
  const [here] = await cabled(lab)
  const ours = await WgSide.start(here, OURS, { port: 1_000, number: 1 })
  const folder = mkdtempSync(join(tmpdir(), 'mesh-routes-'))
  try {
    const routes = Array.from(
      { length: 100_000 },
      (_, i) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}/32`,
    )
    const { publicKey } = generateKeys()
    writeFileSync(
      join(folder, 'routes'),
      `[Peer]\nPublicKey = ${publicKey}\nAllowedIPs = ${routes.join(', ')}\n`,
    )
    await here.run('wg', 'addconf', ours.name, join(folder, 'routes'))
    const { stdout } = await here.run('wg', 'show', ours.name, 'allowed-ips')
    expect(stdout.trim().split(/\s/).length).toBe(1 + routes.length)
    await here.run('ip', 'link', 'delete', ours.name)
    const again = here.start(OURS, '-f', ours.name)
    await again.waitFor(/serving/)
    expect(ours.process.output).not.toContain('restarted')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
