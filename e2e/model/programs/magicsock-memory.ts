// A million packets to and from peers in turn, IPv4 and IPv6: says how many bytes of heap were allocated meanwhile.
// `magicsock-memory send|receive`.
import v8 from 'node:v8'
import { DATAGRAM, manyPeers } from '../many-peers.ts'

const PEERS = 500
const PACKETS = 1_000_000
/** The owner reads its clock once a batch: each reading is a number on the heap. It is as fine as the real one. */
const BATCH = 256
const STEP = 0.064_1

const { sock, peers } = manyPeers(PEERS, 0.5, [4, 6])
const ids = peers.map(({ config }) => config.id)
const endpoints = peers.map(({ endpoint }) => endpoint)
const isSending = process.argv[2] === 'send'
let now = 0.5

function run(packets: number): void {
  for (let n = 0; n < packets; n += 1) {
    if (n % BATCH === 0) now += STEP
    if (isSending) sock.send(ids[n % PEERS]!, DATAGRAM, now)
    else receive(n % PEERS)
  }
}

/** As the owner does: whose it seems to be, and then, authentic, whose it is. */
function receive(which: number): void {
  const peer = sock.handleDatagram(DATAGRAM, endpoints[which]!, now)
  if (peer !== ids[which]) throw new Error('not attributed')
  sock.attribute(sock.lastSource, peer, now)
}

const allocated = (): number =>
  (v8.getHeapStatistics() as unknown as { total_allocated_bytes: number }).total_allocated_bytes

const troubleBefore = sock.drops['send-no-path']
run(300_000)
const before = allocated()
run(PACKETS)
const after = allocated()
const trouble = sock.drops['send-no-path'] - troubleBefore
console.log(JSON.stringify({ allocated: after - before, packets: PACKETS, trouble }))
