// Two magicsocks that may only meet at a third node's peer relay, on real sockets of this machine.
import { generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { ManualClock } from '@mesh/sansio'
import { systemRandom } from '@mesh/sansio/node'
import { parseAddress } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import {
  type MagicSockHandle,
  openMagicSock,
  openPeerRelay,
  type RelayHandlers,
} from '../../src/node/index.ts'
import type { DatagramSocket, PeerConfig, RelayMap } from '../../src/index.ts'
import { lookUpRelays } from '../../src/node/look-up.ts'

/** A relay region in this process. */
class Hub {
  readonly #members = new Map<string, RelayHandlers>()

  connect(nodeKey: Uint8Array) {
    return (_region: number, handlers: RelayHandlers) => {
      this.#members.set(nodeKey.join(), handlers)
      queueMicrotask(() => handlers.onAlive())
      return {
        send: (to: Uint8Array, bytes: Uint8Array) => {
          const copy = bytes.slice()
          queueMicrotask(() => this.#members.get(to.join())?.onPacket(nodeKey, copy))
        },
        notePreferred: () => undefined,
        close: () => this.#members.delete(nodeKey.join()),
      }
    }
  }
}

test('D18, D19: datagrams of two nodes go through the peer relay of a third', async () => {
  const hub = new Hub()
  const region = { id: 1, code: 'r', noMeasureNoHome: false, score: 1, nodes: [] }
  const heard: string[] = []
  const open = async (): Promise<{ sock: MagicSockHandle; nodeKey: Uint8Array }> => {
    const nodeKey = publicKeyOf(generatePrivateKey(systemRandom))
    const sock = await openMagicSock({
      keys: { nodeKey },
      allowLoopback: true,
      relays: { map: new Map([[1, region]]), connect: hub.connect(nodeKey) },
      // Told of no address: only the peer relay can bring them together by UDP.
      readAddresses: () => [],
      onPacket: (bytes) => heard.push(new TextDecoder().decode(bytes)),
    })
    return { sock, nodeKey }
  }
  const [a, b, c] = await Promise.all([open(), open(), open()])
  const relay = await openPeerRelay({ allowLoopback: true })
  c.sock.setPeerRelay(relay)
  const config = (id: number, of: typeof a, more: Partial<PeerConfig> = {}): PeerConfig => {
    return { id, nodeKey: of.nodeKey, discoKey: of.sock.discoKey, endpoints: [], homeRelay: 1, ...more }
  }
  a.sock.setPeers([config(2, b), config(3, c, { servesAsRelay: true })])
  b.sock.setPeers([config(1, a), config(3, c, { servesAsRelay: true })])
  c.sock.setPeers([config(1, a, { mayUseOurRelay: true }), config(2, b, { mayUseOurRelay: true })])
  const end = Date.now() + 15_000
  while (a.sock.status(2)?.peerRelay === undefined && Date.now() < end) {
    a.sock.send(2, new TextEncoder().encode('are you there?'))
    await new Promise<void>((resolve) => setTimeout(resolve, 100))
  }
  a.sock.send(2, new TextEncoder().encode('through the tunnel'))
  while (!heard.includes('through the tunnel') && Date.now() < end) {
    await new Promise<void>((resolve) => setTimeout(resolve, 10))
  }
  expect(heard).toContain('through the tunnel')
  expect(a.sock.status(2)?.peerRelay?.port).toBe(relay.ports.v4)
  expect(relay.sessions[0]?.clients[0].packets).toBeGreaterThan(0)
  await Promise.all([a.sock.close(), b.sock.close(), c.sock.close(), relay.close()])
})

test('a system that cannot tell its addresses for a moment does not end a peer relay', async () => {
  const clock = new ManualClock()
  const told = [parseAddress('127.0.0.1')!]
  let reads = 0
  const relay = await openPeerRelay({
    allowLoopback: true,
    clock,
    readAddresses: () => {
      reads += 1
      if (reads === 2) throw new Error('EMFILE')
      return told
    },
  })
  for (let polls = 0; polls < 3; polls += 1) clock.advanceBy(5_000)
  expect(reads).toBe(4)
  expect(relay.endpoints.map(({ endpoint }) => endpoint.address)).toEqual(told)
  await relay.close()
})

test('a relay map whose names are found late does not take the place of the one that came after it', async () => {
  const asked: number[] = []
  const sockets: DatagramSocket = {
    ports: { v4: 7, v6: undefined },
    listen: () => undefined,
    send: (_bytes, to) => void asked.push(to.port),
    rebind: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
  const clock = new ManualClock()
  const relay = await openPeerRelay({ allowLoopback: true, sockets, clock })
  const region = { id: 1, code: 'r', noMeasureNoHome: false, score: 1 }
  const node = { name: '1a', ipv4: undefined, ipv6: undefined, stunPort: 3_478 }
  const named: RelayMap = new Map([
    [1, { ...region, nodes: [{ ...node, hostName: 'localhost', lookUp: true }] }],
  ])
  const known = { ...node, hostName: '127.0.0.1', ipv4: parseAddress('127.0.0.1')!, stunPort: 3_479 }
  relay.setRelays(named)
  relay.setRelays(new Map([[1, { ...region, nodes: [known] }]]))
  // The relay's own questions are answered before these.
  for (let times = 0; times < 3; times += 1) await lookUpRelays(named)
  await new Promise((resolve) => setImmediate(resolve))
  clock.advanceBy(10_000)
  expect(new Set(asked)).toEqual(new Set([3_479]))
  await relay.close()
})
