// The user-space stack against the kernel's: a TUN with the kernel of a namespace on one side and a Netstack on the
// other. The kernel's ping, curl and sockets judge what our packets are worth.
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Netstack, type NetstackOutput, type TcpConnectionId } from '@mesh/netstack'
import { type Driver, drive } from '@mesh/sansio'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import { batchOf, packetAt, type TunDevice } from '@mesh/tun'
import { openTun } from '@mesh/tun/node'
import { parseAddress } from '@mesh/wire/ip'
import { expect } from 'vitest'
import { eventually, type Lab, type Namespace, netnsTest } from './support.ts'

const test = netnsTest('ping', 'curl')

const KERNEL = '10.92.0.1'
const KERNEL6 = 'fd00:92::1'
const STACK = '10.92.0.2'
const STACK6 = 'fd00:92::2'
const BULK = 8_000_000

type Event = Exclude<NetstackOutput, { kind: 'packet' }>

/** A stack on a TUN, and what happens in it. */
class StackHost implements AsyncDisposable {
  readonly stack: Netstack
  readonly now = (): number => systemClock.now()
  readonly #tun: TunDevice
  readonly #driver: Driver

  constructor(tun: TunDevice, handle: (event: Event, host: StackHost) => void) {
    const addresses = [parseAddress(STACK), parseAddress(STACK6)].filter((address) => address !== undefined)
    this.stack = new Netstack({ addresses, random: systemRandom, mtu: tun.mtu })
    this.#tun = tun
    this.#driver = drive(this.stack, systemClock, (output) => {
      if (output.kind === 'packet') tun.write(batchOf([output.packet]))
      else handle(output, this)
    })
    tun.onPackets((batch) => {
      for (let index = 0; index < batch.count; index++) {
        this.stack.handlePacket(packetAt(batch, index), this.now())
        this.#driver.wake()
      }
    })
  }

  /** Does something with the stack, then sends what came of it. */
  act<T>(run: (stack: Netstack, now: number) => T): T {
    const result = run(this.stack, this.now())
    this.#driver.wake()
    return result
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#driver.close()
    await this.#tun.close()
  }
}

async function openHost(
  lab: Lab,
  handle: (event: Event, host: StackHost) => void,
): Promise<[StackHost, Namespace]> {
  const namespace = await lab.namespace('kernel')
  const addresses = [`${KERNEL}/24`, `${KERNEL6}/64`]
  return [new StackHost(await openTun({ netns: namespace.name, addresses }), handle), namespace]
}

/** Sends a body and then the end, as fast as the connection takes it. */
class Sending {
  readonly #connection: TcpConnectionId
  #rest: Uint8Array

  constructor(connection: TcpConnectionId, bytes: Uint8Array) {
    this.#connection = connection
    this.#rest = bytes
  }

  pump({ stack, now }: StackHost): void {
    this.#rest = this.#rest.subarray(stack.sendTcp(this.#connection, this.#rest, now()))
    if (this.#rest.length === 0) stack.endTcp(this.#connection, now())
  }
}

test('the kernel pings the stack by IPv4 and IPv6, and the stack pings the kernel', async ({ lab }) => {
  const events: Event[] = []
  const [host, kernel] = await openHost(lab, (event) => void events.push(event))
  await using _host = host
  for (const address of [STACK, STACK6]) {
    const { stdout } = await kernel.run('ping', '-c', '5', '-i', '0.05', '-s', '1000', address)
    expect(stdout).toContain('5 received')
  }
  const to = parseAddress(KERNEL) ?? new Uint8Array(4)
  host.act((stack, now) => stack.ping(to, now))
  expect(await eventually('a pong', async () => events.find(({ kind }) => kind === 'pong'))).toBeDefined()
})

test('curl fetches 8 MB from a server on the stack, whole, and a closed port refuses it', async ({ lab }) => {
  const body = randomBytes(BULK)
  const sendings = new Map<TcpConnectionId, Sending>()
  const [host, kernel] = await openHost(lab, (event, { stack, now }) => {
    if (event.kind === 'tcp-data') {
      stack.consumeTcp(event.connection, event.bytes.length, now())
      if (!Buffer.from(event.bytes).includes('\r\n\r\n')) return
      const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`
      sendings.set(event.connection, new Sending(event.connection, Buffer.concat([Buffer.from(head), body])))
    }
    if (event.kind === 'tcp-data' || event.kind === 'tcp-writable') sendings.get(event.connection)?.pump(host)
  })
  await using _host = host
  host.act((stack) => stack.listenTcp({ port: 80 }))
  const folder = mkdtempSync(join(tmpdir(), 'mesh-e2e-'))
  try {
    for (const address of [STACK, `[${STACK6}]`]) {
      const file = join(folder, 'body')
      const { stdout } = await kernel.run(
        'curl',
        '-s',
        '-m',
        '30',
        '-w',
        '%{speed_download}',
        '-o',
        file,
        `http://${address}/`,
      )
      console.log(`curl from the stack: ${((Number(stdout) * 8) / 1e6).toFixed(0)} Mbit/s`)
      expect(digest(readFileSync(file))).toBe(digest(body))
    }
    await expect(kernel.run('curl', '-s', '-m', '5', `http://${STACK}:81/`)).rejects.toThrow(
      /exit code 7|code 7|failed/i,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('curl sends 8 MB to a server on the stack, whole', async ({ lab }) => {
  const body = randomBytes(BULK)
  const parts: Uint8Array[] = []
  let total = 0
  const [host, kernel] = await openHost(lab, (event, { stack, now }) => {
    if (event.kind !== 'tcp-data') return
    parts.push(event.bytes)
    total += event.bytes.length
    stack.consumeTcp(event.connection, event.bytes.length, now())
    if (total < BULK || !Buffer.concat(parts).subarray(-BULK).equals(body)) return
    stack.sendTcp(event.connection, Buffer.from('HTTP/1.1 204 Done\r\n\r\n'), now())
    stack.endTcp(event.connection, now())
  })
  await using _host = host
  host.act((stack) => stack.listenTcp({ port: 80 }))
  const folder = mkdtempSync(join(tmpdir(), 'mesh-e2e-'))
  try {
    writeFileSync(join(folder, 'body'), body)
    const url = `http://${STACK}/`
    const { stdout } = await kernel.run(
      'curl',
      '-s',
      '-m',
      '30',
      '-H',
      'Expect:',
      '-w',
      '%{http_code}',
      '-T',
      join(folder, 'body'),
      url,
    )
    expect(stdout).toBe('204')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the stack dials a server of the kernel, which echoes 8 MB, and is refused where there is none', async ({
  lab,
}) => {
  const body = randomBytes(BULK)
  const closed: string[] = []
  const received: Uint8Array[] = []
  let sending: Sending | undefined
  const [host, kernel] = await openHost(lab, (event, { stack, now }) => {
    if (event.kind === 'tcp-connected' || event.kind === 'tcp-writable') sending?.pump(host)
    if (event.kind === 'tcp-closed') closed.push(event.reason)
    if (event.kind !== 'tcp-data') return
    received.push(event.bytes)
    stack.consumeTcp(event.connection, event.bytes.length, now())
  })
  await using _host = host
  await kernel.startNode(new URL('programs/echo-server.ts', import.meta.url), '7').waitFor(/listening/)
  const address = parseAddress(KERNEL6) ?? new Uint8Array(16)
  const connection = host.act((stack, now) => stack.connectTcp({ address, port: 7 }, now))
  sending = new Sending(connection, body)
  await eventually('the end of the echo', async () => closed[0], 30_000)
  expect(digest(Buffer.concat(received))).toBe(digest(body))
  host.act((stack, now) => stack.connectTcp({ address, port: 8 }, now))
  await eventually('the refusal', async () => closed[1])
  expect(closed).toEqual(['done', 'refused'])
})

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
