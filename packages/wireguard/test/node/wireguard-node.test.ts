import { once } from 'node:events'
import { statSync } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { connect, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSocket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeUdpPacket } from '@mesh/wire/ip'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  generateKeys,
  openWireGuard,
  type OpenWireGuardOptions,
  serveUapi,
  type WireGuardNode,
} from '../../src/node/index.ts'
import { formatHexKey, parseKey } from '../../src/plain/index.ts'

const open: WireGuardNode[] = []
const folders: string[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })))
})

async function node(options: OpenWireGuardOptions): Promise<WireGuardNode> {
  const opened = await openWireGuard(options)
  open.push(opened)
  return opened
}

const at = (last: number) => ({ address: Uint8Array.of(10, 0, 0, last), port: 9 })
const packet = (from: number, to: number, text: string): Uint8Array =>
  encodeUdpPacket(at(from), at(to), new TextEncoder().encode(text))

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition() && Date.now() < end; ) await sleep(5)
  expect(condition()).toBe(true)
}

/** Returns a port of loopback that can be had: this one, or any. */
async function freePort(wanted = 0): Promise<number> {
  const socket = createSocket('udp4').bind(wanted, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => void socket.close(resolve))
  return port
}

/** Two nodes; the second is told of the first without an endpoint. */
async function pair(more: Partial<OpenWireGuardOptions> = {}) {
  const [ann, bob] = [generateKeys(), generateKeys()]
  const got: string[] = []
  const take = (name: string) => (bytes: Uint8Array) =>
    void got.push(`${name} ${new TextDecoder().decode(bytes.subarray(28))}`)
  const there = await node({
    privateKey: bob.privateKey,
    peers: [{ publicKey: ann.publicKey, allowedIps: ['10.0.0.1'] }],
    onPacket: take('bob'),
    ...more,
  })
  const here = await node({
    privateKey: ann.privateKey,
    peers: [{ publicKey: bob.publicKey, allowedIps: ['10.0.0.2'], endpoint: `localhost:${there.port}` }],
    onPacket: take('ann'),
    address: '127.0.0.1',
  })
  return { ann, bob, here, there, got }
}

describe('openWireGuard', () => {
  test('makes two nodes that talk both ways over loopback, an endpoint by name among them', async () => {
    const { here, there, got } = await pair({ address: '127.0.0.1' })
    here.send(packet(1, 2, 'hello'))
    await until(() => got.length === 1)
    there.send(packet(2, 1, 'back'))
    await until(() => got.length === 2)
    expect(got).toEqual(['bob hello', 'ann back'])
    expect(here.status().peers[0]?.lastHandshakeTime).toBeGreaterThan(Date.now() - 10_000)
  })

  test('goes on on another port, and the peer follows', async () => {
    const { here, there, got } = await pair({ address: '127.0.0.1' })
    here.send(packet(1, 2, 'one'))
    await until(() => got.length === 1)
    await here.configure({ listenPort: 0 })
    const before = here.port
    await here.configure({ listenPort: before + 1 }).catch(() => here.configure({ listenPort: before + 2 }))
    expect(here.port).not.toBe(before)
    here.send(packet(1, 2, 'two'))
    await until(() => got.length === 2)
    expect(there.status().peers[0]?.endpoint?.port).toBe(here.port)
  })

  test('changes its port as often as it is told at once, and leaves none behind, nor when it is closed meanwhile', async () => {
    const subject = await node({ address: '127.0.0.1' })
    const [one, two, three] = [await freePort(), await freePort(), await freePort()]
    await Promise.all([one, two].map((listenPort) => subject.configure({ listenPort })))
    expect(subject.port).toBe(two)
    expect(await freePort(one)).toBe(one)
    const moving = subject.configure({ listenPort: three })
    await Promise.all([moving, subject.close()])
    expect(await freePort(two)).toBe(two)
    expect(await freePort(three)).toBe(three)
  })

  test('refuses what does not read, and a port that is taken, and leaves nothing open', async () => {
    const { privateKey } = generateKeys()
    await expect(openWireGuard({ privateKey: 'secret' })).rejects.toThrow('privateKey: not a key')
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const { port } = socket.address()
    await expect(openWireGuard({ privateKey, listenPort: port, address: '127.0.0.1' })).rejects.toMatchObject(
      { code: 'EADDRINUSE' },
    )
    const ok = await node({ privateKey, address: '127.0.0.1' })
    await expect(ok.configure({ listenPort: port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(ok.port).toBeGreaterThan(0)
    socket.close()
  })

  test('sends what the socket refuses nowhere, and goes on', async () => {
    const { here, got } = await pair({ address: '127.0.0.1' })
    here.send(packet(1, 2, 'one'))
    await until(() => got.length === 1)
    here.send(new Uint8Array(0))
    here.send(new Uint8Array(70_000).fill(0x45))
    here.send(packet(1, 2, 'two'))
    await until(() => got.length === 2)
    expect(got).toEqual(['bob one', 'bob two'])
  })
})

/** Looks at the socket the moment it is there: when `listen` returns. */
function spyOnBind(folder: string): { readonly modes: number[]; mockRestore(): void } {
  const modes: number[] = []
  const listen = Reflect.get(Server.prototype, 'listen') as (...given: unknown[]) => Server
  const spy = vi.spyOn(Server.prototype, 'listen').mockImplementation(function (
    this: Server,
    ...given: unknown[]
  ) {
    const result = Reflect.apply(listen, this, given)
    modes.push(statSync(join(folder, 'wgt.sock')).mode & 0o777)
    return result
  })
  return { modes, mockRestore: () => spy.mockRestore() }
}

describe('the UAPI on its socket', () => {
  async function served() {
    const folder = await mkdtemp(join(tmpdir(), 'mesh-uapi-'))
    folders.push(folder)
    const subject = await node({ address: '127.0.0.1' })
    return { folder, subject, uapi: await serveUapi(subject, 'wgt', folder) }
  }

  async function say(path: string, text: string): Promise<string> {
    const socket = connect(path)
    let said = ''
    socket.setEncoding('utf8').on('data', (part: string) => (said += part))
    socket.write(text)
    await Promise.race([until(() => /errno=-?\d+\n\n$/.test(said)), once(socket, 'close')])
    socket.destroy()
    return said
  }

  test('sets and gets, and answers errors by number', async () => {
    const { subject, uapi } = await served()
    const keys = generateKeys()
    const [own, peer] = [keys.privateKey, generateKeys().publicKey].map((text) =>
      formatHexKey(parseKey(text) ?? new Uint8Array()),
    )
    expect(
      await say(uapi.path, `set=1\nprivate_key=${own}\npublic_key=${peer}\nallowed_ip=10.0.0.2/32\n\n`),
    ).toBe('errno=0\n\n')
    expect(subject.publicKey).toBe(keys.publicKey)
    const status = await say(uapi.path, 'get=1\n\n')
    expect(status).toMatch(
      new RegExp(`^private_key=${own}\nlisten_port=${subject.port}\npublic_key=${peer}\n`),
    )
    expect(await say(uapi.path, 'set=1\ncolour=red\n\n')).toBe('errno=-22\n\n')
    expect(await say(uapi.path, 'set=1\nfwmark=5\n\n')).toBe('errno=-95\n\n')
    const taken = await node({ address: '127.0.0.1' })
    expect(await say(uapi.path, `set=1\nlisten_port=${taken.port}\n\n`)).toBe('errno=-98\n\n')
    expect(await say(uapi.path, 'hello\n')).toBe('')
    await uapi.close()
    await uapi.close()
  })

  test('is for its owner alone, takes the place of a dead one and of no living one', async () => {
    const { folder, subject, uapi } = await served()
    expect((await stat(uapi.path)).mode & 0o777).toBe(0o600)
    await expect(serveUapi(subject, 'wgt', folder)).rejects.toThrow(
      'the interface wgt is served by another program already',
    )
    await uapi.close()
    await writeFile(uapi.path, '')
    const again = await serveUapi(subject, 'wgt', folder)
    expect(await say(again.path, 'get=1\n\n')).toMatch(/errno=0\n\n$/)
    await again.close()
  })

  test('is nobody else’s for no moment, whatever the process lets others do with its files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mesh-uapi-'))
    folders.push(folder)
    const mask = process.umask(0)
    const watch = spyOnBind(folder)
    try {
      const uapi = await serveUapi(await node({}), 'wgt', folder)
      await uapi.close()
    } finally {
      process.umask(mask)
      watch.mockRestore()
    }
    expect(watch.modes).toEqual([0o600])
  })
})
