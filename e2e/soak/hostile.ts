// Hostile traffic at full speed against the Linux data plane: a stranger's datagrams and trains of every shape, a peer that
// seals whatever it likes, and a TUN whose headers lie. Beside them genuine traffic is compared byte by byte.
import { generateKeys } from '@mesh/wireguard/node'
import type { Lab, Started } from '../netns/lab.ts'
import type { HostileSettings } from '../netns/programs/hostile-peer.ts'
import { OURS, WgSide } from '../netns/wg-side.ts'
import { isFlat, type MemoryReport, MemoryWatch } from './memory.ts'

/** What was found. */
export interface HostileReport {
  /** Datagrams of the stranger and of the peer, and packets with headers that may lie. */
  readonly strangerTrains: number
  readonly peerDatagrams: number
  readonly lies: number
  /** Bytes compared, through the tunnel and behind the lying TUN, and how many times they were wrong. */
  readonly comparedBytes: number
  readonly wrong: number
  /** Packet threads that died. */
  readonly deaths: number
  /** Drops of the target, by reason. */
  readonly drops: Readonly<Record<string, number>>
  readonly memory: Readonly<Record<string, MemoryReport>>
}

interface Books {
  readonly lies: number
  readonly verifiedBytes: number
  readonly wrong: number
  readonly restarts: number
}

const program = (name: string): URL => new URL(`../netns/programs/${name}.ts`, import.meta.url)

/** Runs all of it for a time. */
export async function runHostile(lab: Lab, seconds: number): Promise<HostileReport> {
  const [target, friend, enemy] = [
    await lab.namespace('target'),
    await lab.namespace('friend'),
    await lab.namespace('enemy'),
  ]
  await lab.cable(target, '192.0.2.1/24', friend, '192.0.2.2/24')
  await lab.cable(target, '198.51.100.1/24', enemy, '198.51.100.2/24')
  const ours = await WgSide.start(target, OURS, { port: 51_820, number: 1 })
  const theirs = await WgSide.start(friend, OURS, { port: 51_820, number: 2 })
  const hostile = generateKeys()
  await theirs.setPeer(ours)
  await ours.setPeer(theirs, '192.0.2.2:51820')
  await ours.set('peer', hostile.publicKey, 'allowed-ips', '10.9.0.3/32')
  if ((await ours.ping(theirs.overlay, 3)) === 0) throw new Error('no ping crosses the tunnel')

  await target.startNode(program('echo-server'), '7').waitFor(/listening/)
  const peer = enemy.startNode(program('hostile-peer'))
  const settings: HostileSettings = {
    privateKey: hostile.privateKey,
    targetKey: ours.publicKey,
    target: { address: '198.51.100.1', port: 51_820 },
    inside: { own: '10.9.0.3', target: ours.overlay, other: theirs.overlay },
    seconds,
  }
  peer.send(JSON.stringify(settings))
  await peer.waitFor(/session/, 60_000)
  const check = friend.startNode(program('stream-check'), ours.overlay, '7', `${seconds}`)
  const liar = enemy.startNode(program('lying-tun'), `${seconds}`)
  const stranger = enemy.startNode(program('hostile-sender'), '198.51.100.1', '51820', `${seconds}`)
  const pids = { target: ours.process.pid, friend: theirs.process.pid, liar: liar.pid }
  const memory = new MemoryWatch(pids, Math.max(500, seconds * 5))
  const patience = seconds * 1_000 + 60_000
  const [, strangerTrains] = await stranger.waitFor(/sent (\d+)/, patience)
  const [, peerDatagrams] = await peer.waitFor(/sent (\d+)/, patience)
  const [, checked] = await check.waitFor(/checked (\d+)|WRONG/, patience)
  const watched = memory.end()
  const books = lastLine(liar, 'books') as Books
  if ((await ours.ping(theirs.overlay, 10)) === 0) throw new Error('the tunnel is dead after it')
  ours.process.send('status')
  await ours.process.waitFor(/"status"/)
  const { drops } = lastLine(ours.process, 'status') as { readonly drops: Readonly<Record<string, number>> }
  const deaths = [ours, theirs].flatMap(
    ({ process }) => process.output.match(/"(restarted|failed|tun-lost)"/g) ?? [],
  )
  return {
    strangerTrains: Number(strangerTrains),
    peerDatagrams: Number(peerDatagrams),
    lies: books.lies,
    comparedBytes: Number(checked ?? 0) + books.verifiedBytes,
    wrong: books.wrong + (checked === undefined ? 1 : 0),
    deaths: deaths.length + books.restarts,
    drops,
    memory: watched,
  }
}

/** The last line of JSON of an event. */
function lastLine(started: Started, event: string): object {
  const line = started.output
    .split('\n')
    .findLast((one) => one.startsWith('{') && one.includes(`"event":"${event}"`))
  if (line === undefined) throw new Error(`no "${event}" in:\n${started.output}`)
  return JSON.parse(line) as object
}

/** Says what is wrong with a report, one clause each; nothing for a good one. */
export function faultsOf(report: HostileReport, seconds: number): string[] {
  const grown = Object.entries(report.memory).filter(([, memory]) => !isFlat(memory, seconds))
  return [
    ...(report.wrong > 0 ? [`wrong bytes: ${report.wrong}`] : []),
    ...(report.deaths > 0 ? [`packet threads died: ${report.deaths}`] : []),
    ...(report.comparedBytes < 100_000 ? [`only ${report.comparedBytes} genuine bytes came through`] : []),
    ...grown.map(([name, { earlyMb, lateMb }]) => `memory of ${name} grew from ${earlyMb} to ${lateMb} MiB`),
  ]
}
