// One thread of a swarm: keeps its share of the nodes, and says when each of them saw what was looked for.

import { parentPort, workerData } from 'node:worker_threads'
import type { RegisterResponse } from '@mesh/wire/control'
import type { ControlAddress } from './light-client.ts'
import { KnownNodes } from './known-nodes.ts'
import { LightClient } from './light-client.ts'

/** What a worker is told to do; it answers each with one {@link WorkerAnswer}. */
export type WorkerOrder =
  | {
      readonly kind: 'register'
      readonly control: ControlAddress
      readonly authKey: string
      readonly names: readonly string[]
    }
  | { readonly kind: 'follow'; readonly control: ControlAddress }
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

/** How many handshakes are under way at once. */
const TOGETHER = 24
const RETRY_AFTER = 200
const MAX_TRIES = 20

const clients: LightClient[] = []
const known = new Map<LightClient, KnownNodes>()
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
      return register(order.names, order.authKey)
    case 'follow':
      control = order.control
      return followAll()
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

function now(): number {
  return performance.timeOrigin + performance.now()
}

async function register(names: readonly string[], authKey: string): Promise<number[]> {
  const fresh = names.map((name) => new LightClient(name))
  await each(fresh, async (client) => {
    const { Error: refusal, MachineAuthorized } = await registerOne(client, authKey)
    if (refusal !== '' || !MachineAuthorized) throw new Error(`refused: ${refusal}`)
    client.onMap = (json) => look(client, json)
  })
  clients.push(...fresh)
  return []
}

/** A server under load may hang up: a client tries again. */
async function registerOne(client: LightClient, authKey: string): Promise<RegisterResponse> {
  for (let tries = 0; ; tries += 1) {
    try {
      if (!client.isConnected) await client.connect(control as ControlAddress)
      return await client.register(authKey)
    } catch (error) {
      if (tries === MAX_TRIES) throw error
      await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER))
    }
  }
}

/** Has everybody follow the map who does not. Returns when each had its first message. */
async function followAll(): Promise<number[]> {
  const moments: number[] = []
  const idle = clients.filter((client) => !following.has(client))
  await each(idle, async (client) => {
    for (;;) {
      try {
        if (!client.isConnected) await client.connect(control as ControlAddress)
        await firstMap(client)
        break
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER))
      }
    }
    moments.push(now())
  })
  return moments
}

const following = new Set<LightClient>()

function firstMap(client: LightClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.onGone = () => {
      following.delete(client)
      reject(new Error('gone'))
    }
    client.onMap = (json) => {
      if (json.length < 100) return
      known.set(client, new KnownNodes())
      following.add(client)
      client.onMap = (later) => look(client, later)
      look(client, json)
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

function look(client: LightClient, json: Buffer): void {
  known.get(client)?.apply(json)
  if (!watched.wanted.has(client) || !json.includes(watched.bytes)) return
  watched.wanted.delete(client)
  watched.seen.push(now())
  if (watched.wanted.size === 0) watched.whenAll()
}

async function each<T>(list: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...list]
  const one = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: TOGETHER }, one))
}
