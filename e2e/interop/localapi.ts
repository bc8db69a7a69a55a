// `pnpm interop localapi`: does the real `tailscale` command line get along with our daemon's socket? It is what a user
// has in the fingers and what scripts call, so each verb must end as it does with its own daemon.
import { join } from 'node:path'
import type { RunResult } from '../netns/lab.ts'
import type { InteropCase } from './case.ts'
import { joinMeshd, kernelPing, type MeshNode } from './nodes.ts'
import { startControl, startRelay } from './servers.ts'
import { buildSite } from './site.ts'

/** The cases. */
export const localapi: readonly InteropCase[] = [
  {
    name: 'the tailscale command line on the socket of meshd',
    peers: ['tailscale'],
    run: async (lab, trail, peer) => {
      const { hub, nodes } = await buildSite(lab, ['a', 'b'])
      const [placeA, placeB] = nodes
      if (placeA === undefined || placeB === undefined) throw new RangeError('two nodes are needed')
      const control = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      const a = await joinMeshd(placeA, control, 'a')
      const b = await joinMeshd(placeB, control, 'b')
      await trail('both Running', () => kernelPing(a, b))
      const ask = (...args: readonly string[]): Promise<RunResult> =>
        placeA.namespace.run(peer('tailscale'), `--socket=${join(placeA.folder, 'm.sock')}`, ...args)
      const says = (verb: string, pattern: RegExp): Promise<void> =>
        trail(verb, async () => must(verb, (await ask(...verb.split(' '))).stdout, pattern))

      await trail('status', async () => {
        const { stdout } = await ask('status')
        must('status', stdout, new RegExp(`^${a.address} +a +alice`, 'm'))
        must('status', stdout, new RegExp(`^${b.address} +b +alice`, 'm'))
      })
      await trail('status --json', async () => checkStatus((await ask('status', '--json')).stdout, a, b))
      await says('ip -4', new RegExp(`^${a.address}$`, 'm'))
      await says('ip -4 b', new RegExp(`^${b.address}$`, 'm'))
      await says('ping b', /pong from b .* via 10\.91\./)
      await says('ping --size=1200 --c=1 b', /pong from b .* via 10\.91\./)
      await says('ping --tsmp --c=1 b', /pong from b .* via TSMP/)
      await says('ping --icmp --c=1 b', /pong from b .* via ICMP/)
      await says(`whois ${b.address}`, /Name: +b\.[^]*Name: +alice/)
      await says('netcheck', /UDP: true[^]*10\.91\.0\.1/)
      await says('version --daemon', /Daemon: \d/)
      await says('debug prefs', /"WantRunning": true/)
      await says('down', /^$/)
      await trail('up', async () => {
        // Every setting that differs from the usual must be named, as with its own daemon.
        await ask('up', `--login-server=${control.url}`, '--hostname=a', '--timeout=20s')
        await kernelPing(a, b)
      })
      await trail('set --hostname', async () => {
        await ask('set', '--hostname=zed')
        must('debug prefs', (await ask('debug', 'prefs')).stdout, /"Hostname": "zed"/)
      })
      await trail('logout', async () => {
        await ask('logout')
        must('status --json', (await ask('status', '--json')).stdout, /"BackendState": "NeedsLogin"/)
      })
      await trail('up --auth-key', async () => {
        const flags = [`--login-server=${control.url}`, `--auth-key=${control.authKey}`, '--hostname=zed']
        await ask('up', ...flags, '--timeout=20s')
        must('status --json', (await ask('status', '--json')).stdout, /"BackendState": "Running"/)
      })
    },
  },
]

function checkStatus(text: string, a: MeshNode, b: MeshNode): void {
  const status = JSON.parse(text) as {
    BackendState: string
    Self: { TailscaleIPs: string[] }
    Peer: Record<string, { TailscaleIPs: string[]; Online: boolean }>
  }
  const [peer] = Object.values(status.Peer)
  const told = [status.BackendState, status.Self.TailscaleIPs[0], peer?.TailscaleIPs[0], peer?.Online]
  must('status --json', JSON.stringify(told), new RegExp(`"Running","${a.address}","${b.address}",true`))
}

function must(what: string, text: string, pattern: RegExp): void {
  if (!pattern.test(text)) throw new Error(`${what} does not match ${String(pattern)}:\n${text}`)
}
