// `pnpm interop relay`: is our client at home on a real derper, do real clients and real probes take our relay for one,
// and do the two kinds of relay make one mesh?
import { join as joinPath } from 'node:path'
import type { RelayRegion } from '@mesh/derp-client'
import { eventually, type Started } from '../netns/lab.ts'
import type { InteropCase, Trail } from './case.ts'
import { joinMeshd, joinTailscaled, kernelPing, pathIs } from './nodes.ts'
import {
  connectOurs,
  exchange,
  startDerper,
  startOurs,
  startPlainDerper,
  turnedAway,
  writeSecret,
} from './relays.ts'
import { allGood, PROBES, startNamed, startProbe } from './relay-probes.ts'
import { startAskingDerper, startControl } from './servers.ts'
import { blockUdp, buildSite, type Place } from './site.ts'

const TAILSCALE = ['tailscaled', 'tailscale']

/** The cases, simplest first. */
export const relay: readonly InteropCase[] = [
  {
    name: 'C1 our client on a real derper by TLS, its key learned from the certificate (fast start)',
    peers: ['derper'],
    run: async (lab, trail, peer) => {
      const { hub, a, b } = await triangle(lab)
      const { region } = await trail('derper up', () => startDerper(hub, peer('derper')))
      const alice = await trail('first connected', () => connectOurs(a, region))
      const bob = await trail('second connected', () => connectOurs(b, region))
      await trail('packets both ways', () => exchange(alice, bob))
      alice.program.send('ping')
      await trail('pong', () => alice.program.waitFor(/^pong$/m))
      await bob.program.stop()
      await trail('departure told', () => alice.program.waitFor(new RegExp(`^gone ${bob.key} 0$`, 'm')))
      const otherPin = `sha256-raw:${'0'.repeat(64)}`
      await trail('another pin: not believed', () =>
        turnedAway(b, withNode(region, { CertName: otherPin }), 'ERR_DERP_CERTIFICATE'),
      )
      await trail('no pin: not believed', () =>
        turnedAway(b, withNode(region, { CertName: '' }), 'ERR_DERP_CERTIFICATE'),
      )
      await trail('another port: not reached', () =>
        turnedAway(b, withNode(region, { DERPPort: 3341 }), 'ERR_DERP_UNREACHABLE'),
      )
    },
  },
  {
    name: 'C4, C5 our client on a region whose first real derper is away, and when the second one was',
    peers: ['derper'],
    run: async (lab, trail, peer) => {
      const { hub, a, b, other } = await triangle(lab)
      const started = await trail('derper up', () => startDerper(other, peer('derper')))
      const Nodes = [{ Name: '901x', HostName: hub.address, DERPPort: 3340 }, ...(started.region.Nodes ?? [])]
      const region = { ...started.region, Nodes }
      const [alice, bob] = [await connectOurs(a, region), await connectOurs(b, region)]
      await trail('by the second: packets both ways', () => exchange(alice, bob))
      await started.program.stop()
      await trail('it went: noticed', () => alice.program.waitFor(/^disconnected ERR_DERP_/m))
      await startDerper(other, peer('derper'))
      await trail('and came: packets both ways', () => exchange(alice, bob))
    },
  },
  {
    name: 'C1 our client on a real derper without TLS (no fast start)',
    peers: ['derper'],
    run: async (lab, trail, peer) => {
      const { hub, a, b } = await triangle(lab)
      const { region } = await trail('derper up', () => startPlainDerper(hub, peer('derper')))
      const alice = await trail('first connected', () => connectOurs(a, region, { plain: true }))
      const bob = await trail('second connected', () => connectOurs(b, region, { plain: true }))
      await trail('packets both ways', () => exchange(alice, bob))
    },
  },
  {
    name: 'C1 our client on a real derper by WebSocket, with and without TLS',
    peers: ['derper'],
    run: async (lab, trail, peer) => {
      const { hub, a, b, other } = await triangle(lab)
      const options = { webSocket: true }
      const secured = await trail('derper up', () => startDerper(hub, peer('derper')))
      const alice = await trail('first connected', () => connectOurs(a, secured.region, options))
      const bob = await trail('second connected', () => connectOurs(b, secured.region, options))
      await trail('packets both ways', () => exchange(alice, bob))
      const plain = await startPlainDerper(other, peer('derper'))
      const carol = await connectOurs(a, plain.region, { ...options, plain: true })
      const dave = await connectOurs(b, plain.region, { plain: true })
      await trail('without TLS: packets both ways', () => exchange(carol, dave))
    },
  },
  {
    name: 'S1 derpprobe on our relay',
    peers: ['derpprobe'],
    run: async (lab, trail, peer) => {
      const { hub, a } = await triangle(lab)
      const started = await trail('relay up', () => startNamed(hub, 'relay.test'))
      const probe = (...args: readonly string[]): Started => startProbe(a, [started], peer('derpprobe'), args)
      const once = probe('-once', '-bw-interval=1s', '-bw-probe-size-bytes=1000000')
      await allGood(once)
      for (const [stage, name] of PROBES)
        await trail(stage, () => once.waitFor(new RegExp(`^\\S+ \\S+ good: derp/\\S+/${name}: .*`, 'm')))
      // This one never ends by itself, so it is asked how it goes.
      probe('-listen=127.0.0.1:8030', '-qd-packets-per-second=50')
      await trail('queueing delay', () =>
        eventually(
          'packets to be measured, and none lost',
          async () => {
            const page = await fetchIn(a, 'http://127.0.0.1:8030/debug/varz').catch(() => '')
            const measured = /qd_probe_delays_seconds_count\{.*\} (\d+)/.exec(page)?.[1]
            const lost = /qd_probe_dropped_packets\{.*\} (\d+)/.exec(page)?.[1]
            return Number(measured) > 100 && lost === '0' ? true : undefined
          },
          60_000,
        ),
      )
    },
  },
  {
    name: 'S16 derpprobe on two of our relays, each of two threads, as one mesh',
    peers: ['derpprobe'],
    run: async (lab, trail, peer) => {
      const { hub, a, other } = await triangle(lab)
      const secretFile = writeSecret(hub)
      // Each has to know the other's pin: the first start makes the certificate.
      const first = [await startNamed(hub, 'a.test'), await startNamed(other, 'b.test')] as const
      for (const { program } of first) await program.stop()
      const siblings = first.map(({ name, at, pin }) => `${name}:3340/${at.address}#${pin}`).join(',')
      const mesh = { secretFile, siblings }
      const threads = ['--workers=2']
      const relays = [
        await startNamed(hub, 'a.test', mesh, threads),
        await startNamed(other, 'b.test', mesh, threads),
      ]
      for (const { program } of relays) await trail('meshed', () => program.waitFor(/meshed with/))
      const once = startProbe(a, relays, peer('derpprobe'), ['-once'])
      await allGood(once)
      for (const pair of ['1a/1b', '1b/1a', '1a/1a', '1b/1b'])
        await trail(pair, () => once.waitFor(new RegExp(` good: derp/\\S+/${pair}/mesh: `)))
    },
  },
  {
    name: 'S1, S3 two tailscaled with UDP blocked, on our relay',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, a, b } = await triangle(lab)
      for (const place of [a, b]) await blockUdp(place)
      const started = await trail('relay up', () => startOurs(hub))
      const address = `https://${hub.address}:3340,cert=${started.pin}`
      const control = await trail('control up', () => startControl(hub, address))
      const [one, other] = await trail('both Running', () =>
        Promise.all([joinTailscaled(a, control, 'ts-0', peer), joinTailscaled(b, control, 'ts-1', peer)]),
      )
      await trail('ping one way', () => kernelPing(one, other))
      await trail('ping the other way', () => kernelPing(other, one))
      await trail('relayed', () => pathIs(one, other, /via DERP/))
      await trail('latency in netcheck', () =>
        eventually(
          'netcheck to show the relay',
          async () => {
            const { stdout } = await one.cli('netcheck')
            return /UDP: false[^]*DERP latency:\s*\n\s*- \S+: \d/.test(stdout) ? stdout : undefined
          },
          30_000,
        ),
      )
    },
  },
  {
    name: 'S19 our relay asks the real tailscaled beside it whom to serve',
    peers: TAILSCALE,
    run: (lab, trail, peer) => servesWhomADaemonKnows(lab, trail, peer, joinTailscaled, 'ts.sock'),
  },
  {
    name: 'S19 our relay asks our meshd beside it whom to serve',
    peers: TAILSCALE,
    run: (lab, trail, peer) => servesWhomADaemonKnows(lab, trail, peer, joinMeshd, 'm.sock'),
  },
  {
    name: 'S19 a real derper asks our control whom to serve',
    peers: [...TAILSCALE, 'derper'],
    run: async (lab, trail, peer) => {
      const { hub, nodes } = await buildSite(lab, ['a', 'b', 's'], 'hub-only')
      const [a, b, stranger] = three(nodes)
      const address = startAskingDerper(hub, peer('derper'))
      const control = await trail('servers up', () => startControl(hub, address))
      const region = {
        RegionID: 900,
        Nodes: [{ Name: '900a', HostName: hub.address, DERPPort: 3340, InsecureForTests: true }],
      }
      await trail('a stranger turned away', () => turnedAway(stranger, region, 'ERR_DERP_CLOSED'))
      const [one, two] = [
        await joinTailscaled(a, control, 'ts-0', peer),
        await joinTailscaled(b, control, 'ts-1', peer),
      ]
      await trail('two nodes: ping', () => kernelPing(one, two))
      await trail('relayed', () => pathIs(one, two, /via DERP/))
      await trail('the stranger still turned away', () => turnedAway(stranger, region, 'ERR_DERP_CLOSED'))
    },
  },
  {
    name: 'S16 our relay and a real derper as one mesh',
    peers: ['derper'],
    run: async (lab, trail, peer) => {
      const { hub, a, b, other } = await triangle(lab)
      const secretFile = writeSecret(hub)
      // Each has to know the other's certificate: the first start makes it.
      const { certificate, program } = await startOurs(hub)
      await program.stop()
      const derper = await trail('derper up', () =>
        startDerper(other, peer('derper'), {
          secretFile,
          siblings: `${hub.address}:3340`,
          trusted: certificate,
        }),
      )
      const ours = await trail('relay up', () =>
        startOurs(hub, { secretFile, siblings: `${other.address}:3340#${derper.pin}` }),
      )
      await trail('meshed', () => ours.program.waitFor(/meshed with/))
      const alice = await trail('client of ours', () => connectOurs(a, ours.region))
      const bob = await trail('client of derper', () => connectOurs(b, derper.region))
      await trail('packets both ways', () => exchange(alice, bob))
      await ours.program.stop()
      await trail('our relay away: departure told', () =>
        bob.program.waitFor(new RegExp(`^gone ${alice.key} 0$`, 'm')),
      )
      await startOurs(hub, { secretFile, siblings: `${other.address}:3340#${derper.pin}` })
      await trail('and back: packets both ways', () => exchange(alice, bob))
    },
  },
]

/** A relay that admits whom a daemon in its own place knows: two tailscaled, which cannot meet elsewhere, and no stranger. */
async function servesWhomADaemonKnows(
  lab: Parameters<InteropCase['run']>[0],
  trail: Trail,
  peer: (program: string) => string,
  join: typeof joinTailscaled,
  socket: string,
): Promise<void> {
  const { hub, nodes } = await buildSite(lab, ['a', 'b', 's'], 'hub-only')
  const [a, b, stranger] = three(nodes)
  const verify = ['--verify-clients', '--socket', joinPath(hub.folder, socket)]
  const { pin, region } = await startOurs(hub, undefined, hub.address, verify)
  await trail('no daemon yet: nobody comes in', () => turnedAway(stranger, region, 'ERR_DERP_CLOSED'))
  const control = await trail('control up', () =>
    startControl(hub, `https://${hub.address}:3340,cert=${pin}`),
  )
  await trail('the relay’s daemon Running', () => join(hub, control, 'hub', peer))
  const one = await joinTailscaled(a, control, 'ts-0', peer)
  const two = await trail('two nodes Running', () => joinTailscaled(b, control, 'ts-1', peer))
  await trail('ping', () => kernelPing(one, two))
  await trail('relayed', () => pathIs(one, two, /via DERP/))
  await trail('a stranger turned away', () => turnedAway(stranger, region, 'ERR_DERP_CLOSED'))
}

function withNode(region: RelayRegion, change: object): RelayRegion {
  return { ...region, Nodes: region.Nodes?.map((node) => ({ ...node, ...change })) ?? [] }
}

function three([a, b, c]: readonly Place[]): [Place, Place, Place] {
  if (a === undefined || b === undefined || c === undefined) throw new RangeError('a triangle needs three')
  return [a, b, c]
}

/** A hub with the relay, two nodes around it, and one more place for another relay. */
async function triangle(
  lab: Parameters<InteropCase['run']>[0],
): Promise<{ hub: Place; a: Place; b: Place; other: Place }> {
  const site = await buildSite(lab, ['a', 'b', 'r'])
  const [a, b, other] = three(site.nodes)
  return { hub: site.hub, a, b, other }
}

/** Fetches a page from within a namespace. */
async function fetchIn({ namespace }: Place, url: string): Promise<string> {
  const script = 'fetch(process.argv[1]).then((answer) => answer.text()).then(console.log)'
  return (await namespace.run(process.execPath, '-e', script, url)).stdout
}
