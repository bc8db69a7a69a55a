// One thread of a swarm: keeps its share of the nodes, and says when each of them saw what was looked for.

import { setTimeout as wait } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { ControlAddress } from './light-client.ts'
import { KnownNodes } from './known-nodes.ts'
import { LightClient } from './light-client.ts'
import { Turns } from './turns.ts'
import { Unpacker } from './unpacked.ts'

/** What a worker is told to do; it answers each with one {@link WorkerAnswer}. */
export type WorkerOrder =
  /** Fails when the time is over before all are in. */
  | {
      readonly kind: 'register'
      readonly control: ControlAddress
      readonly authKey: string
      readonly names: readonly string[]
      readonly timeout: number
    }
  /** Answered when all have a map, or the time is over, with the moments of those who have. */
  | { readonly kind: 'follow'; readonly control: ControlAddress; readonly timeout: number }
  | { readonly kind: 'drop' }
  | { readonly kind: 'tell'; readonly client: number; readonly endpoints: readonly string[] }
  /** From now on, note when following clients but `except` see `text` in their maps. */
  | { readonly kind: 'watch'; readonly text: string; readonly except: number }
  /** Answered when all of them saw it, or the time is over: who did not see it by then counts as if it did then. */
  | { readonly kind: 'seen'; readonly timeout: number }
  /** Answered with how many nodes each client that follows knows, itself included. */
  | { readonly kind: 'count' }

/** Moments are milliseconds since the epoch, with fractions. */
export interface WorkerAnswer {
  readonly moments: readonly number[]
  /** What went wrong, if anything. */
  readonly error?: string
}

/** How many handshakes and registrations are under way at once. */
const TOGETHER = 24
const RETRY_AFTER = 200
const MAX_TRIES = 20

const clients: LightClient[] = []
const known = new Map<LightClient, KnownNodes>()
/** Those who have a map, and those who are after one. */
const following = new Set<LightClient>()
const coming = new Map<LightClient, Promise<void>>()
const turns = new Turns(TOGETHER)
const unpacker = new Unpacker()
const port = parentPort as NonNullable<typeof parentPort>
let control: ControlAddress | undefined
let watched = {
  bytes: Buffer.from('-'),
  wanted: new Set<LightClient>(),
  seen: [] as number[],
  whenAll: () => {},
}

port.on('message', ({ id, order }: { id: number; order: WorkerOrder }) => {
  perform(order).then(
    (moments) => port.postMessage({ id, answer: { moments } satisfies WorkerAnswer }),
    (error: unknown) =>
      port.postMessage({ id, answer: { moments: [], error: `worker ${workerData}: ${String(error)}` } }),
  )
})

async function perform(order: WorkerOrder): Promise<number[]> {
  switch (order.kind) {
    case 'register':
      control = order.control
      return register(order)
    case 'follow':
      control = order.control
      return followAll(order.timeout)
    case 'drop':
      for (const client of clients) client.close()
      return []
    case 'tell': {
      const at = now()
      if (!(await clients[order.client]?.tell(order.endpoints))) throw new Error('the server took no update')
      return [at]
    }
    case 'watch':
      return watch(order.text, order.except)
    case 'seen':
      await allSeen(order.timeout)
      return [...watched.seen, ...Array.from(watched.wanted, now)]
    case 'count':
      return [...following].map((client) => known.get(client)?.count ?? 0)
  }
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return wait(ms, undefined, signal ? { signal } : {}).catch(() => undefined)
}

function now(): number {
  return performance.timeOrigin + performance.now()
}

async function register({ names, authKey, timeout }: WorkerOrder & { kind: 'register' }): Promise<number[]> {
  const fresh = names.map((name) => new LightClient(name))
  const end = now() + timeout
  await Promise.all(fresh.map((client) => turns.take(() => admit(client, authKey, end))))
  clients.push(...fresh)
  return []
}

/** A server under load may hang up: a client tries again. */
async function admit(client: LightClient, authKey: string, end: number): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    if (now() > end) throw new Error('the time is over')
    try {
      if (!client.isConnected) await client.connect(control as ControlAddress)
      const { Error: refusal, MachineAuthorized } = await client.register(authKey)
      if (refusal === '' && MachineAuthorized) return
      throw new Error(`refused: ${refusal}`)
    } catch (error) {
      if (tries === MAX_TRIES) throw error
      await sleep(RETRY_AFTER)
    }
  }
}

/** Has everybody follow the map who does not: all at once, as when a server comes back. */
async function followAll(timeout: number): Promise<number[]> {
  const moments: number[] = []
  const all = clients
    .filter((client) => !following.has(client))
    .map(async (client) => {
      const first = coming.get(client) ?? follow(client)
      coming.set(client, first)
      await first
      coming.delete(client)
      moments.push(now())
    })
  const given = new AbortController()
  await Promise.race([Promise.all(all), sleep(timeout, given.signal)])
  given.abort()
  return [...moments]
}

/** Returns when a client has its first map, however often it has to try. */
async function follow(client: LightClient): Promise<void> {
  for (;;) {
    try {
      if (!client.isConnected) await turns.take(() => client.connect(control as ControlAddress))
      return await firstMap(client)
    } catch {
      await sleep(RETRY_AFTER)
    }
  }
}

function firstMap(client: LightClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.onGone = () => {
      following.delete(client)
      reject(new Error('gone'))
    }
    client.onMap = (message) => {
      // It may be a keep-alive.
      if (message.length < 100) return
      known.set(client, new KnownNodes())
      following.add(client)
      client.onMap = (later) => look(client, later)
      look(client, message)
      resolve()
    }
    client.follow()
  })
}

function watch(text: string, except: number): number[] {
  const wanted = new Set(following)
  const excepted = clients[except]
  if (excepted) wanted.delete(excepted)
  watched = { bytes: Buffer.from(text), wanted, seen: [], whenAll: () => {} }
  return []
}

function allSeen(timeout: number): Promise<void> {
  return new Promise((resolve) => {
    if (watched.wanted.size === 0) return resolve()
    const timer = setTimeout(resolve, timeout)
    watched.whenAll = () => {
      clearTimeout(timer)
      resolve()
    }
  })
}

function look(client: LightClient, message: Uint8Array): void {
  const nodes = known.get(client)
  for (const frame of unpacker.unpack(message)) {
    nodes?.apply(frame)
    if (watched.wanted.has(client) && frame.json.includes(watched.bytes)) noteSeen(client)
  }
}

function noteSeen(client: LightClient): void {
  watched.wanted.delete(client)
  watched.seen.push(now())
  if (watched.wanted.size === 0) watched.whenAll()
}
