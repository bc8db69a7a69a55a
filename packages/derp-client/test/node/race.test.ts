// Reaching a region on real sockets: which family wins, what a dead one costs, and what a silent node does.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { connectDerp, type DerpConnectionOptions } from '../../src/node/index.ts'
import { DIAL_NODE_TIMEOUT, IPV4_DELAY } from '../../src/node/race.ts'
import { CLIENT_PRIVATE_KEY } from '../support.ts'
import { fakeRelay, nextEvent } from './support.ts'

const hasIpv6 = Object.values(networkInterfaces()).some((each) =>
  each?.some(({ family }) => family === 'IPv6'),
)

/** Connects, and returns how long that took. */
async function timeToConnect(options: Partial<DerpConnectionOptions>, ...nodes: object[]): Promise<number> {
  const start = performance.now()
  const Nodes = nodes.map((node, i) => ({ Name: `1${'abc'[i]}`, HostName: 'relay.invalid', ...node }))
  const region = { RegionID: 1, Nodes }
  const connection = connectDerp({ region, privateKey: CLIENT_PRIVATE_KEY, plain: true, ...options })
  await nextEvent(connection, 'connected')
  connection.close()
  return performance.now() - start
}

test.skipIf(!hasIpv6)('C4: where IPv6 works it wins, and IPv4 is not even begun', async () => {
  await using six = await fakeRelay({ address: '::1' })
  await using four = await fakeRelay({ port: six.port })
  const node = { IPv4: '127.0.0.1', IPv6: '::1', DERPPort: six.port }
  expect(await timeToConnect({ ipv6Works: true }, node)).toBeLessThan(DIAL_NODE_TIMEOUT)
  expect([six.requests.length, four.requests.length]).toEqual([1, 0])
})

test('C4: where IPv6 was thought to work and does not, IPv4 wins 200 ms later; where it was not, at once', async () => {
  await using four = await fakeRelay()
  const node = { IPv4: '127.0.0.1', IPv6: '::1', DERPPort: four.port }
  expect(await timeToConnect({ ipv6Works: true }, node)).toBeGreaterThanOrEqual(IPV4_DELAY)
  await timeToConnect({}, node)
  expect(four.requests).toHaveLength(2)
})

test('C4: a family that is "none" is not dialled, though somebody listens there', async () => {
  await using relay = await fakeRelay()
  const hidden = { IPv4: 'none', IPv6: '::1', DERPPort: relay.port }
  await timeToConnect({}, hidden, { IPv4: '127.0.0.1', IPv6: 'none', DERPPort: relay.port })
  expect(relay.requests.map(({ headers }) => headers['ideal-node'])).toEqual(['1a'])
})

/** A port where connections are neither taken nor refused: its owner sleeps, and its short queue is full. */
async function silentPort(): Promise<AsyncDisposable & { readonly port: number }> {
  const script = `
    const { parentPort } = require('node:worker_threads')
    const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const worker = new Worker(script, { eval: true })
  const [port] = (await once(worker, 'message')) as [number]
  const fillers: Socket[] = []
  for (let answered = true; answered; ) {
    const filler = connect(port, '127.0.0.1').on('error', () => undefined)
    fillers.push(filler)
    const silence = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 200))
    answered = await Promise.race([once(filler, 'connect').then(() => true), silence])
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) filler.destroy()
      await worker.terminate()
    },
  }
}

test('C4: a node that says nothing at all is given 1.5 s, then the next one is dialled', async () => {
  await using silent = await silentPort()
  await using relay = await fakeRelay()
  const took = await timeToConnect(
    {},
    { HostName: '127.0.0.1', DERPPort: silent.port },
    { HostName: '127.0.0.1', DERPPort: relay.port },
  )
  expect(took).toBeGreaterThanOrEqual(DIAL_NODE_TIMEOUT - 5)
  expect(relay.requests).toHaveLength(1)
})
