// What a machine that is not in the network may not do to the server itself: the invariants of control §9.7 about what it may
// hold open, whose address it may claim, and how often a key lets in.
import type { ClientHttp2Session } from 'node:http2'
import { afterEach, expect, test, vi } from 'vitest'
import { startControl } from '../../src/contract/start-control.ts'
import { FLAG, FRAME, frame, PREFACE, settingsFrame, u32 } from '../../src/http2/frames.ts'
import { MemoryStore } from '../../src/index.ts'
import type { ControlListener, ControlOptions } from '../../src/node/index.ts'
import { RawMachine, until } from './raw-client.ts'

const open: { destroy(): void }[] = []
let control: ControlListener
let store: MemoryStore

async function listen(options: Partial<ControlOptions> = {}): Promise<void> {
  store = new MemoryStore()
  control = await startControl({
    store,
    ...options,
  })
}

async function connect(
  machine: RawMachine,
  headers: Record<string, string> = {},
): Promise<ClientHttp2Session> {
  const session = await machine.connect(control.url, headers)
  session.on('error', () => undefined)
  open.push(session)
  return session
}

async function stranger(headers: Record<string, string> = {}): Promise<[RawMachine, ClientHttp2Session]> {
  const machine = new RawMachine()
  return [machine, await connect(machine, headers)]
}

afterEach(async () => {
  vi.useRealTimers()
  for (const each of open.splice(0)) each.destroy()
  await control.close()
})

/** Asks with bytes of its own: no client library keeps it from asking too much. */
async function bareStranger(): Promise<{ say: (bytes: Uint8Array) => void; frames: () => FrameSeen[] }> {
  const { socket, transport, rest } = await new RawMachine().handshake(control.url)
  open.push(socket)
  let bytes: Uint8Array = rest
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    transport.feed(chunk)
    for (let plain = transport.read(); plain; plain = transport.read()) bytes = Buffer.concat([bytes, plain])
  })
  socket.resume()
  const frames = (): FrameSeen[] => {
    const seen: FrameSeen[] = []
    for (let at = 0; at + 9 <= bytes.length; at += 9 + (u32(bytes, at) >>> 8))
      seen.push({ type: bytes[at + 3] ?? 0, stream: u32(bytes, at + 5), first: bytes[at + 12] ?? 0 })
    return seen
  }
  const say = (plain: Uint8Array): void => void socket.write(transport.seal(plain) ?? new Uint8Array())
  say(Buffer.concat([PREFACE, settingsFrame([])]))
  return { say, frames }
}

interface FrameSeen {
  readonly type: number
  readonly stream: number
  /** The last byte of a number that it begins with. */
  readonly first: number
}

const HEADERS = Uint8Array.of(0x83, 0x87, 0x04, 17, ...Buffer.from('/machine/register'))

test('invariant 4, threat 26: of a stranger no more than sixteen requests are under way, whatever client it uses', async () => {
  await listen()
  const { say, frames } = await bareStranger()
  for (let i = 0; i < 40; i += 1) say(frame(FRAME.headers, FLAG.endHeaders, 2 * i + 1, HEADERS))
  const refused = (): number[] =>
    frames().flatMap(({ type, stream, first }) => (type === FRAME.rstStream && first === 7 ? [stream] : []))
  await until(() => refused().length >= 24, 'the refusals')
  expect(refused()).toEqual(Array.from({ length: 24 }, (_, i) => 2 * (16 + i) + 1))
})

test('invariant 4, threat 26: unfinished bodies of one stranger hold no more than four megabytes', async () => {
  await listen()
  const [, session] = await stranger()
  let ended = 0
  for (let i = 0; i < 16; i += 1) {
    const stream = session.request({ ':method': 'POST', ':path': '/machine/register' }, { endStream: false })
    stream.on('data', () => undefined)
    stream.on('error', () => undefined)
    stream.on('close', () => (ended += 1))
    stream.write(new Uint8Array(1_000_000))
  }
  // What waits for its end fits: four rooms of a megabyte.
  await until(() => ended >= 12, 'the refusals')
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(ended).toBeLessThan(16)
})

test('invariant 4, threat 26: a stranger that asks nothing is hung up on after half a minute, a node is not', async () => {
  await listen()
  await control.admin({ verb: 'users create', name: 'ann' })
  const { key } = await control.admin({ verb: 'preauthkeys create', user: 'ann' })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const [[, idle], [node, joined]] = [await stranger(), await stranger()]
  expect((await node.register(joined, { Auth: { AuthKey: key } })).status).toBe(200)
  vi.advanceTimersByTime(29_000)
  await turns()
  expect([idle.closed, joined.closed]).toEqual([false, false])
  vi.advanceTimersByTime(2000)
  await turns()
  expect([idle.closed, joined.closed]).toEqual([true, false])
})

/** Lets sockets have their turn where timers stand still. */
async function turns(): Promise<void> {
  for (let i = 0; i < 200; i += 1) await new Promise((resolve) => setImmediate(resolve))
}

const placesOfLogins = (): (string | undefined)[] =>
  [...(store.read(0).changes.logins?.values() ?? [])].map((login) => login?.place)

test('invariant 11: an address that a client claims in a header counts for nothing without a trusted proxy', async () => {
  await listen()
  const forged = { 'X-Forwarded-For': '198.51.100.9', 'X-Forwarded-Host': 'evil.example', 'Ts-Lb': '1' }
  const [eve, session] = await stranger(forged)
  const answer = await eve.register(session)
  // The page lies at the server's own address, and the login at that of the socket.
  expect(answer.body.toString()).toContain(`"${control.url}/register/`)
  expect(placesOfLogins()).toEqual([undefined])
  const page = await fetch(`${control.url}/health`, { headers: forged })
  expect([page.status, await page.text()]).toEqual([200, '{"status":"pass"}'])
})

test('invariant 11: of what a trusted proxy forwards only its own word counts, not what the client wrote before it', async () => {
  await listen({ trustedProxies: ['127.0.0.1'] })
  for (const [forwarded, place] of [
    ['203.0.113.9', '203.0.113.9'],
    ['198.51.100.9, 203.0.113.9', '203.0.113.9'],
    ['127.0.0.1, 2001:db8:7::5', '2001:db8:7::/64'],
    ['evil', undefined],
  ] as const) {
    const [eve, session] = await stranger({ 'X-Forwarded-For': forwarded })
    await eve.register(session)
    expect([forwarded, placesOfLogins().at(-1)]).toEqual([forwarded, place])
  }
})

test('invariant 11: who claims ever new addresses is still one place, and loses its own oldest connections', async () => {
  await listen({ trustedProxies: ['127.0.0.1'] })
  const [, victim] = await stranger({ 'X-Forwarded-For': '203.0.113.1' })
  const [, first] = await stranger({ 'X-Forwarded-For': '192.0.2.0, 198.51.100.66' })
  for (let i = 1; i <= 256; i += 1) await stranger({ 'X-Forwarded-For': `192.0.2.${i % 250}, 198.51.100.66` })
  await until(() => first.closed, 'the oldest is ended')
  expect(victim.closed).toBe(false)
})

test('threat 26: a site of more nodes than a place may have strangers comes back at once, beside strangers without end', {
  timeout: 60_000,
}, async () => {
  await listen({ trustedProxies: ['127.0.0.1'] })
  await control.admin({ verb: 'users create', name: 'ann' })
  const { key } = await control.admin({ verb: 'preauthkeys create', user: 'ann', reusable: true })
  const site = { 'X-Forwarded-For': '198.51.100.66' }
  const nodes: RawMachine[] = []
  for (let i = 0; i < 300; i += 1) {
    const [node, session] = await stranger()
    expect((await node.register(session, { Auth: { AuthKey: key } })).status).toBe(200)
    session.destroy()
    nodes.push(node)
  }
  const back: ClientHttp2Session[] = []
  for (const node of nodes) back.push(await connect(node, site))
  const [, first] = await stranger(site)
  for (let i = 0; i < 256; i += 1) await stranger(site)
  await until(() => first.closed, 'the oldest stranger is ended')
  expect(back.filter(({ closed }) => closed)).toHaveLength(0)
  // What somebody plays back of a node's handshake crowds out nobody else.
  const [victim] = nodes
  for (let i = 0; i < 256; i += 1) await connect(victim as RawMachine, site)
  await until(() => back[0]?.closed === true, 'the oldest of this machine is ended')
  expect(back.filter(({ closed }) => closed)).toHaveLength(1)
})

test('invariant 9, threat 1: of twenty machines that come at once with one single-use key exactly one gets in', async () => {
  await listen()
  await control.admin({ verb: 'users create', name: 'ann' })
  const { key } = await control.admin({ verb: 'preauthkeys create', user: 'ann' })
  const strangers = await Promise.all(Array.from({ length: 20 }, () => stranger()))
  const login = async (AuthKey: string): Promise<string[]> =>
    (
      await Promise.all(
        strangers.map(([machine, session]) => machine.register(session, { Auth: { AuthKey } })),
      )
    ).map(({ body }) => (JSON.parse(body.toString()) as { Error: string }).Error)
  // Its public half alone, or with another secret, is no key.
  const [public_ = ''] = /^meshkey-auth-[0-9a-f]{12}-/.exec(key) ?? []
  for (const wrong of [`${public_}${'0'.repeat(64)}`, key.slice(0, -1), `${key}0`, public_])
    expect(new Set(await login(wrong))).toEqual(new Set(['invalid authkey']))
  const errors = (await login(key)).filter((error) => error !== '')
  expect(errors).toEqual(Array.from({ length: 19 }, () => 'authkey already used'))
  expect(await control.admin({ verb: 'nodes list' })).toHaveLength(1)
})
