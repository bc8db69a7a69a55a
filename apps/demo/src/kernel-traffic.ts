// With real TUN devices the kernel's own programs cross the tunnel: ping and curl by address and by name, and
// iperf3 for a figure. That it went straight is proved by the daemon's counters.
import { setTimeout as sleep } from 'node:timers/promises'
import type { PeerStatus } from './local-api.ts'
import type { LocalMesh } from './local-mesh.ts'
import type { Namespaces } from './namespaces.ts'
import type { Progress } from './progress.ts'

const NAME_SERVER = '100.100.100.100'
const GREETING = 'hello from b'
const HTTP_PORT = 8080
const HTTP_SERVER = `require('node:http').createServer((q, s) => s.end('${GREETING}\\n')).listen(${HTTP_PORT}, '0.0.0.0', () => console.log('listening'))`

/** Shows the kernel's programs crossing the tunnel from a to b, and throws when one does not get through. */
export async function showKernelTraffic(
  mesh: LocalMesh,
  namespaces: Namespaces,
  peer: PeerStatus,
  progress: Progress,
): Promise<void> {
  const address = peer.TailscaleIPs[0] ?? ''
  const domain = peer.DNSName.replace(/\.$/, '').split('.').slice(1).join('.')
  namespaces.useNameServer('a', NAME_SERVER, domain)
  progress.title('The kernel’s own programs cross the tunnel')
  await progress.step(
    `ping ${address}`,
    () => ping(mesh, address),
    (time) => time,
  )
  await progress.step(
    'ping b (the name)',
    () => ping(mesh, 'b'),
    (time) => time,
  )
  const web = mesh.spawn('web', 'b', process.execPath, '-e', HTTP_SERVER)
  await web.printed(/listening/)
  await progress.step(
    `curl http://${address}:${HTTP_PORT}/`,
    () => curl(mesh, address),
    (body) => `“${body}”`,
  )
  await progress.step(
    `curl http://b:${HTTP_PORT}/`,
    () => curl(mesh, 'b'),
    (body) => `“${body}”`,
  )
  await showSpeed(mesh, address, progress)
}

async function ping(mesh: LocalMesh, target: string): Promise<string> {
  const done = await mesh.exec('a', 'ping', '-c', '3', '-i', '0.2', '-W', '5', target)
  const time = /= [\d.]+\/([\d.]+)\//.exec(done.stdout)?.[1]
  if (done.code === 0 && time) return `${time} ms on average of 3`
  throw new Error(`ping ${target}: ${(done.stderr || done.stdout).trim().split('\n').at(-1)}`)
}

async function curl(mesh: LocalMesh, host: string): Promise<string> {
  const done = await mesh.exec(
    'a',
    'curl',
    '-sS',
    '--noproxy',
    '*',
    '--max-time',
    '10',
    `http://${host}:${HTTP_PORT}/`,
  )
  if (done.code === 0 && done.stdout.includes(GREETING)) return done.stdout.trim()
  throw new Error(`curl ${host}: ${done.stderr.trim() || `unexpected answer ${JSON.stringify(done.stdout)}`}`)
}

async function showSpeed(mesh: LocalMesh, address: string, progress: Progress): Promise<void> {
  const before = await paths(mesh)
  if ((await mesh.exec('a', 'iperf3', '--version')).code === 0) {
    mesh.spawn('iperf3', 'b', 'iperf3', '-s', '-1', '-B', address)
    await sleep(300)
    await progress.step(
      'iperf3, one TCP stream for 3 s',
      () => iperf(mesh, address),
      (speed) => speed,
    )
  } else {
    progress.note('iperf3 is not installed, so there is no speed figure (apt-get install iperf3)')
  }
  await progress.step(
    'all of it went straight, by the counters',
    async () => {
      const after = await paths(mesh)
      const went = { direct: after.directTx - before.directTx, relay: after.relayTx - before.relayTx }
      if (after.directTx === 0 || went.relay > went.direct / 100) {
        throw new Error(`the relay carried ${went.relay} datagrams and the direct path ${went.direct}`)
      }
      return after
    },
    (after) =>
      `direct ${after.directTx} sent, ${after.directRx} received; relay ${after.relayTx} sent, ${after.relayRx} received`,
  )
}

async function iperf(mesh: LocalMesh, address: string): Promise<string> {
  const done = await mesh.exec('a', 'iperf3', '-c', address, '-t', '3', '-J')
  const report = JSON.parse(done.stdout || '{}') as {
    error?: string
    end?: { sum_received?: { bits_per_second?: number } }
  }
  const speed = report.end?.sum_received?.bits_per_second
  if (!speed) throw new Error(`iperf3: ${report.error ?? done.stderr.trim()}`)
  return `${(speed / 1e6).toFixed(0)} Mbit/s`
}

async function paths(mesh: LocalMesh): Promise<NonNullable<PeerStatus['Paths']>> {
  const status = await mesh.status('a')
  const peer = Object.values(status.Peer ?? {}).find((one) => one.DNSName.split('.')[0] === 'b')
  return peer?.Paths ?? { directTx: 0, directRx: 0, relayTx: 0, relayRx: 0 }
}
