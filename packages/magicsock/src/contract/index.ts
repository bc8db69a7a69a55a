/**
 * What every filling of the `DatagramSocket` seat promises, as tests for any runner.
 *
 * @packageDocumentation
 */
import type { Endpoint } from '@mesh/wire/ip'
import type { DatagramSocket } from '../datagram-socket.ts'

/** Two sockets that reach each other, and the address of each as the other sees it. */
export interface SocketPair {
  /** The socket under test. */
  readonly near: DatagramSocket
  /** Another one. */
  readonly far: DatagramSocket
  /** Where `near` is. */
  readonly nearAt: Endpoint
  /** Where `far` is. */
  readonly farAt: Endpoint
}

/** Registers a test of this name, as `test` of vitest and node:test do. */
export type RegisterTest = (name: string, run: () => Promise<void>) => void

const PATIENCE = 2_000

/** Registers the contract's tests; `open` makes a fresh pair for each and sees to its closing afterwards. */
export function datagramSocketContract(register: RegisterTest, open: () => Promise<SocketPair>): void {
  register('carries a datagram as it is, and names its source', async () => {
    const { near, far, nearAt, farAt } = await open()
    const inbox = listen(far)
    near.send(Uint8Array.of(1, 2, 3), farAt)
    await until(() => inbox.length === 1)
    assert(inbox[0]?.bytes.join() === '1,2,3', 'the bytes are those sent')
    assert(inbox[0].from.port === nearAt.port, 'the source is the sender')
    assert(inbox[0].from.address.join() === nearAt.address.join(), 'the address is the sender’s')
  })

  register('takes lent bytes: overwriting them after the call changes nothing', async () => {
    const { near, far, farAt } = await open()
    const inbox = listen(far)
    const lent = new Uint8Array(100)
    for (let i = 0; i < 50; i++) {
      lent.fill(i)
      near.send(lent, farAt)
    }
    lent.fill(0xff)
    await until(() => inbox.length === 50)
    for (const [i, { bytes }] of inbox.entries())
      assert(
        bytes.every((byte) => byte === i),
        `datagram ${i} is whole`,
      )
  })

  register('drops what is to go to port 0, from which a datagram may come, and goes on', async () => {
    const { near, far, farAt } = await open()
    const inbox = listen(far)
    near.send(Uint8Array.of(1), { address: farAt.address, port: 0 })
    near.send(Uint8Array.of(2), farAt)
    await until(() => inbox.length > 0)
    assert(inbox[0]?.bytes.join() === '2', 'the other one arrives')
  })

  register('names one source by one object', async () => {
    const { near, far, farAt } = await open()
    const inbox = listen(far)
    near.send(Uint8Array.of(1), farAt)
    near.send(Uint8Array.of(2), farAt)
    await until(() => inbox.length === 2)
    assert(inbox[0]?.from === inbox[1]?.from, 'both came from the same object')
  })

  register('works on after being reopened, and closes twice', async () => {
    const { near, far, nearAt } = await open()
    await near.rebind()
    const inbox = listen(near)
    far.send(Uint8Array.of(9), { address: nearAt.address, port: near.ports.v4 ?? nearAt.port })
    await until(() => inbox.length === 1)
    await near.close()
    await near.close()
    near.send(Uint8Array.of(1), nearAt)
  })
}

interface Arrived {
  readonly bytes: Uint8Array
  readonly from: Endpoint
}

function listen(socket: DatagramSocket): Arrived[] {
  const inbox: Arrived[] = []
  socket.listen({
    onDatagram: (bytes, from) => inbox.push({ bytes: bytes.slice(), from }),
    onTrouble: () => undefined,
  })
  return inbox
}

async function until(done: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE
  while (!done() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
  assert(done(), 'arrived in time')
}

function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`broken: ${what}`)
}
