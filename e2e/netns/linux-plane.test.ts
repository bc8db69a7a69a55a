// The Linux data plane on real TUN devices and sockets: against the distribution's wireguard-go, against itself, with a
// packet filter on its thread, and when that thread dies.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { eventually, netnsTest } from './support.ts'
import { iperf, openTunnel, pingTimes, type TunnelEnd } from './tunnel.ts'

const test = netnsTest('ping', 'iperf3')
const testPeer = netnsTest('wireguard-go', 'wg', 'ping', 'iperf3')
const STATEFUL_JUDGE = new URL('programs/stateful-judge.ts', import.meta.url).href
const UDP_ECHO = new URL('programs/udp-echo.ts', import.meta.url)
const TRAIN = new URL('programs/train.ts', import.meta.url)
const MASQUERADING_JUDGE = new URL('programs/masquerading-judge.ts', import.meta.url).href
const JUDGE = new URL('programs/crashing-judge.ts', import.meta.url).href

interface Status {
  readonly drops: Readonly<Record<string, number>>
  readonly peer: { readonly sentPackets: number; readonly receivedPackets: number }
}

async function statusOf({ process }: TunnelEnd): Promise<Status> {
  const before = process.output.length
  await sleep(120) // a report may be under way
  process.send('status')
  return eventually('a status', async () => {
    const line = process.output
      .slice(before)
      .split('\n')
      .find((one) => one.includes('"status"'))
    return line === undefined ? undefined : (JSON.parse(line) as Status)
  })
}

testPeer(
  'wireguard-go and the Linux data plane: ping and TCP both ways, IPv4 and IPv6 (W2)',
  async ({ lab }) => {
    const [ours, theirs] = await openTunnel(lab, ['linux', { program: 'wireguard-go' }])
    expect(await pingTimes(ours, theirs.overlay, 10)).toHaveLength(10)
    expect(await pingTimes(theirs, ours.overlay, 10)).toHaveLength(10)
    expect(await pingTimes(ours, theirs.overlay6, 10)).toHaveLength(10)
    expect(await pingTimes(ours, theirs.overlay, 10, '-M', 'do', '-s', '1392')).toHaveLength(10)
    for (const more of [[], ['-R'], ['-6'], ['-6', '-R']]) {
      const { gbits } = await iperf(ours, theirs, 1, ...more)
      expect(gbits).toBeGreaterThan(0.05)
    }
    const { drops } = await statusOf(ours)
    expect({ ...drops, 'no-route': 0 }).toEqual(
      Object.fromEntries(Object.keys(drops).map((name) => [name, 0])),
    )
  },
)

testPeer(
  'D20: wireguard-go knows the Linux data plane by other addresses, and is talked to from there and reaches it there',
  async ({ lab }) => {
    const options = { judge: MASQUERADING_JUDGE, knownAs: 101 }
    const [ours, theirs] = await openTunnel(lab, ['linux', { program: 'wireguard-go' }], options)
    const shown = { ...ours, overlay: '10.9.0.101', overlay6: 'fd00:9::101' }
    for (const size of ['16', '1392', '20000']) {
      expect(await pingTimes(ours, theirs.overlay, 5, '-s', size)).toHaveLength(5)
      expect(await pingTimes(ours, theirs.overlay6, 5, '-s', size)).toHaveLength(5)
      expect(await pingTimes(theirs, shown.overlay, 5, '-s', size)).toHaveLength(5)
      expect(await pingTimes(theirs, shown.overlay6, 5, '-s', size)).toHaveLength(5)
    }
    for (const [from, to] of [
      [ours, theirs],
      [theirs, shown],
    ] as const) {
      expect((await iperf(from, to, 1)).gbits).toBeGreaterThan(0.05)
      expect((await iperf(from, to, 1, '-6', '-R')).gbits).toBeGreaterThan(0.05)
    }
    expect((await iperf(ours, theirs, 1, '-u', '-b', '20M', '-l', '1200')).gbits).toBeGreaterThan(0.015)
    expect((await iperf(theirs, shown, 1, '-u', '-b', '20M', '-l', '1200')).gbits).toBeGreaterThan(0.015)
    const { drops } = await statusOf(ours)
    expect(drops).toMatchObject({ 'bad-inner': 0, 'wrong-source': 0 })
  },
)

test('two Linux data planes: every packet that one seals the other opens, whatever the size', async ({
  lab,
}) => {
  const [a, b] = await openTunnel(lab, ['linux', 'linux-wasm'])
  for (const size of [16, 17, 31, 100, 1000, 1391, 1392, 4000, 20_000]) {
    expect(await pingTimes(a, b.overlay, 5, '-s', `${size}`)).toHaveLength(5)
    expect(await pingTimes(a, b.overlay6, 5, '-s', `${size}`)).toHaveLength(5)
  }
  const { gbits } = await iperf(a, b, 1)
  expect(gbits).toBeGreaterThan(0.2)
  expect((await iperf(a, b, 1, '-u', '-b', '20M', '-l', '1200')).gbits).toBeGreaterThan(0.015)
  const [here, there] = [await statusOf(a), await statusOf(b)]
  expect(there.drops).toMatchObject({ forged: 0, replayed: 0, 'bad-inner': 0, 'wrong-source': 0 })
  expect(there.peer.receivedPackets).toBeGreaterThan(here.peer.sentPackets * 0.9)
})

const SHARED_OUT = [
  { threads: 2, queues: 1 },
  { threads: 1, queues: 2 },
  { threads: 2, queues: 3 },
] as const

test.for(SHARED_OUT)(
  'W12: $threads threads a queue and $queues queues share sessions, and no counter is used twice',
  async (shape, { lab }) => {
    const [a, b] = await openTunnel(lab, ['linux', 'linux-wasm'], shape)
    for (const size of [16, 1392, 20_000]) {
      expect(await pingTimes(a, b.overlay, 5, '-s', `${size}`)).toHaveLength(5)
      expect(await pingTimes(b, a.overlay6, 5, '-s', `${size}`)).toHaveLength(5)
    }
    for (const more of [[], ['-R'], ['-P', '8'], ['-P', '8', '-R', '-6'], ['--bidir', '-P', '4']]) {
      await iperf(a, b, 1, ...more)
    }
    await iperf(a, b, 1, '-u', '-b', '20M', '-l', '200', '-P', '4')
    const [here, there] = [await statusOf(a), await statusOf(b)]
    for (const { drops } of [here, there]) {
      expect(drops).toMatchObject({ forged: 0, replayed: 0, 'unknown-index': 0, 'wrong-source': 0 })
    }
    expect(there.peer.receivedPackets).toBeGreaterThan(here.peer.sentPackets * 0.9)
    expect(here.peer.receivedPackets).toBeGreaterThan(there.peer.sentPackets * 0.9)
  },
)

test('threads that share the work are replaced together when one dies', async ({ lab }) => {
  const [a, b] = await openTunnel(lab, ['linux', 'linux'], { threads: 2, queues: 2, judge: JUDGE })
  await sleep(5_500) // no initiation is sent within five seconds of another
  await pingTimes(a, b.overlay, 1)
  await a.namespace.run('sh', '-c', `ping -c 1 -W 1 -s 999 ${b.overlay} || true`)
  await a.process.waitFor(/"restarted".*fell over/)
  // Four threads take their time to begin on a busy machine, and what the dying one held is lost: the first answer ends the wait.
  await pingTimes(a, b.overlay, 1)
  expect(await pingTimes(a, b.overlay, 20)).toHaveLength(20)
})

test('an answer is let in by the filter of any thread, whichever let the question out', async ({ lab }) => {
  const shape = { threads: 2, queues: 3, judge: STATEFUL_JUDGE } as const
  const [a, b] = await openTunnel(lab, ['linux', 'linux'], shape)
  const server = b.namespace.startNode(UDP_ECHO, 'serve', '53')
  await server.waitFor(/serving/)
  const client = a.namespace.startNode(UDP_ECHO, 'ask', b.overlay, '53', '200')
  const [, answers] = await client.waitFor(/answers (\d+)/, 60_000)
  expect(Number(answers)).toBe(200)
})

test('the longest train of datagrams that the host can send in one call crosses whole', async ({ lab }) => {
  const [a, b] = await openTunnel(lab, ['linux', 'linux'])
  const receiver = b.namespace.startNode(TRAIN, 'receive', '7000')
  await receiver.waitFor(/listening/)
  const sender = a.namespace.startNode(TRAIN, 'send', b.overlay, '7000')
  await sender.waitFor(/sent 65507/)
  await receiver.waitFor(/got 55 datagrams, 65507 bytes/)
})

test('where datagrams are too long for the network below, which no train may be, they go one by one and in pieces', async ({
  lab,
}) => {
  const [a, b] = await openTunnel(lab, ['linux', 'linux'])
  for (const [{ namespace }, far] of [
    [a, '192.0.2.2'],
    [b, '192.0.2.1'],
  ] as const) {
    const { stdout } = await namespace.run('ip', '-o', 'route', 'get', far)
    const [, cable = ''] = /dev (\S+)/.exec(stdout) ?? []
    await namespace.run('ip', 'link', 'set', cable, 'mtu', '1300')
  }
  expect((await iperf(a, b, 1)).gbits).toBeGreaterThan(0.01)
  expect((await iperf(a, b, 1, '-R')).gbits).toBeGreaterThan(0.01)
  expect(a.process.output).not.toContain('degraded') // other ways still take trains
})

test('a packet filter judges on the packet thread, and a thread that dies is replaced within a second', async ({
  lab,
}) => {
  const [a, b] = await openTunnel(lab, ['linux', 'linux'], { judge: JUDGE })
  await sleep(5_500) // no initiation is sent within five seconds of another
  await pingTimes(a, b.overlay, 1)
  await a.namespace.run('sh', '-c', `ping -c 1 -W 1 -s 999 ${b.overlay} || true`)
  await a.process.waitFor(/"restarted".*fell over/)
  expect(await pingTimes(a, b.overlay, 20)).toHaveLength(20)
})

/** How long a flood lasts, in seconds; the nightly run sets more. */
const FLOOD = Number(process.env['MESH_FLOOD_SECONDS'] ?? 5)
const SENDER = new URL('programs/hostile-sender.ts', import.meta.url)

function rssMb({ process: { pid } }: TunnelEnd): number {
  const [, kib = 'NaN'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1024
}

test('threat 21: a flood of datagrams and trains of every shape changes nothing and fills nothing', async ({
  lab,
}) => {
  const [a, b] = await openTunnel(lab, ['linux', 'linux'])
  await iperf(a, b, 1)
  const flood = async (seconds: number): Promise<void> => {
    const sender = b.namespace.startNode(SENDER, '192.0.2.1', '51820', `${seconds}`)
    const [, sent] = await sender.waitFor(/sent (\d+)/, seconds * 1_000 + 20_000)
    expect(Number(sent)).toBeGreaterThan(1_000)
  }
  await flood(2)
  const before = rssMb(a)
  await flood(FLOOD)
  // The control thread lets up to 64 MB of what it has heard lie until it sweeps.
  expect(rssMb(a)).toBeLessThan(before + 100)
  expect(a.process.output).not.toMatch(/restarted|failed/)
  await sleep(300) // what queued up in the socket goes first
  expect(await pingTimes(b, a.overlay, 20)).toHaveLength(20)
  const { drops } = await statusOf(a)
  expect(drops).toMatchObject({ forged: 0, replayed: 0, 'bad-inner': 0, 'wrong-source': 0 })
  expect(drops['unknown-index']).toBeGreaterThan(0)
})
