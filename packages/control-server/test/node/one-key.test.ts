// One single-use key and everybody at once, at the coordinator's own door: sockets only make the crowd thinner.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemRandom } from '@mesh/sansio/node'
import { decodeRegisterRequest } from '@mesh/wire/control'
import type { RegisterRequest } from '@mesh/wire/control'
import { afterAll, expect, test } from 'vitest'
import { startPostgres } from '../../src/contract/index.ts'
import {
  CommandQueue,
  Coordinator,
  type CoordinatorOptions,
  type CoordinatorOutput,
  relayMap,
  type Store,
} from '../../src/index.ts'
import { hashSecret, openPostgresStore, openSqliteStore } from '../../src/node/index.ts'

const ROUNDS = 100
const CROWD = 50
const postgres = await startPostgres()
if (typeof postgres === 'string') console.warn(`skipped: one key on PostgreSQL, ${postgres}`)
const folder = mkdtempSync(join(tmpdir(), 'mesh-one-key-'))

afterAll(async () => {
  if (typeof postgres !== 'string') await postgres.close()
  rmSync(folder, { recursive: true })
})

/** A server without sockets. */
class Server {
  readonly coordinator: Coordinator
  readonly queue: CommandQueue
  readonly #answers = new Map<number, (authorized: boolean) => void>()
  #exchange = 0

  private constructor(store: Store, coordinator: Coordinator) {
    this.coordinator = coordinator
    const perform = (output: CoordinatorOutput): void => {
      if (output.kind === 'register-response')
        this.#answers.get(output.exchange)?.(output.response.MachineAuthorized)
    }
    this.queue = new CommandQueue({ coordinator, store, perform, now: () => 0 })
  }

  static async on(store: Store, server: string, choice: Partial<CoordinatorOptions> = {}): Promise<Server> {
    const options = {
      ...choice,
      serverUrl: 'http://127.0.0.1:8080',
      derpMap: relayMap([]),
      baseDomain: 'mesh.internal',
    }
    const system = { wallClock: Date.now, random: systemRandom, hash: hashSecret, now: 0 }
    const records = await store.since(0)
    return new Server(store, new Coordinator({ ...options, ...system, records, server }))
  }

  async register(key: string): Promise<boolean> {
    const exchange = (this.#exchange += 1)
    const hex = (): string => Buffer.from(systemRandom(32)).toString('hex')
    const request = decodeRegisterRequest({
      Version: 138,
      NodeKey: `nodekey:${hex()}`,
      Auth: { AuthKey: key },
      Hostinfo: { Hostname: 'box' },
    }) as RegisterRequest
    const answer = new Promise<boolean>((resolve) => this.#answers.set(exchange, resolve))
    await this.queue.run((now) => this.coordinator.handleRegister(exchange, `mkey:${hex()}`, request, now))
    return answer
  }
}

/** Lets the crowd at each of many keys. Returns how many got in, by round. */
async function race(servers: readonly Server[]): Promise<number[]> {
  const [first] = servers as [Server]
  await first.queue.run(() => first.coordinator.accounts.createUser({ name: 'ann' }))
  const winners: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const { text } = await first.queue.run(() => first.coordinator.accounts.createPreAuthKey({ user: 'ann' }))
    const crowd = Array.from({ length: CROWD }, (_, i) =>
      (servers[i % servers.length] as Server).register(text),
    )
    winners.push((await Promise.all(crowd)).filter(Boolean).length)
  }
  return winners
}

/** What is stored must agree: a node for every key, and nothing twice. */
async function check(store: Store): Promise<void> {
  const { changes } = await store.since(0)
  const nodes = [...(changes.nodes?.values() ?? [])].filter((node) => node !== undefined)
  expect(nodes).toHaveLength(ROUNDS)
  for (const field of ['ipv4', 'ipv6', 'givenName', 'nodeKey', 'preAuthKey'] as const)
    expect(new Set(nodes.map((node) => node[field])).size).toBe(ROUNDS)
}

/** A range with barely room for all, drawn from at random, with one address kept for somebody else. */
const NARROW = { ipv4Range: '100.64.3.0/25', addressOrder: 'random' } as const

/** Fills the range. Returns how many addresses were given, without the one that is reserved, and what the next are told. */
async function fill(
  servers: readonly Server[],
  store: Store,
): Promise<readonly [given: number, refusals: string[]]> {
  const [first] = servers as [Server]
  const text = await first.queue.run(() => {
    first.coordinator.accounts.createUser({ name: 'ann' })
    first.coordinator.reservations.add('nas', '100.64.3.5')
    return first.coordinator.accounts.createPreAuthKey({ user: 'ann', reusable: true }).text
  })
  const machines = Array.from({ length: 126 }, (_, i) =>
    (servers[i % servers.length] as Server).register(text),
  )
  await Promise.all(machines)
  const nodes = [...((await store.since(0)).changes.nodes?.values() ?? [])]
  const addresses = new Set(nodes.map((node) => node?.ipv4))
  const next = servers.map((server) => server.register(text).then(String, (error: Error) => error.message))
  addresses.delete('100.64.3.5')
  return [addresses.size, await Promise.all(next)]
}

const FULL = 'Every address of the range is taken or reserved.'

test('threat 1: no address of a narrow range is given twice, nor one that is reserved, on SQLite', async () => {
  const store = await openSqliteStore(join(folder, 'narrow.sqlite'))
  expect(await fill([await Server.on(store, 'a', NARROW)], store)).toEqual([126, [FULL]])
  await store.close()
})

test.skipIf(typeof postgres === 'string')(
  'threat 1: no address of a narrow range is given twice, nor one that is reserved, on PostgreSQL with three servers',
  async () => {
    const { url } = postgres as Exclude<typeof postgres, string>
    const network = 'narrow'
    const stores = await Promise.all([1, 2, 3].map(() => openPostgresStore({ url, network })))
    const servers = await Promise.all(stores.map((store, i) => Server.on(store, String(i), NARROW)))
    expect(await fill(servers, stores[0] as Store)).toEqual([126, [FULL, FULL, FULL]])
    await Promise.all(stores.map((store) => store.close()))
  },
)

test('threat 1, invariant 9: in 100 rounds on SQLite, of 50 machines with one single-use key exactly one gets in', async () => {
  const store = await openSqliteStore(join(folder, 'control.sqlite'))
  expect(await race([await Server.on(store, 'a')])).toEqual(Array(ROUNDS).fill(1))
  await check(store)
  await store.close()
})

test.skipIf(typeof postgres === 'string')(
  'threat 1, invariant 9: in 100 rounds on PostgreSQL with two servers, of 50 machines with one single-use key exactly one gets in',
  async () => {
    const { url } = postgres as Exclude<typeof postgres, string>
    const stores = await Promise.all([openPostgresStore({ url }), openPostgresStore({ url })])
    const servers = await Promise.all(stores.map((store, i) => Server.on(store, String(i))))
    expect(await race(servers)).toEqual(Array(ROUNDS).fill(1))
    await check(stores[0])
    await Promise.all(stores.map((store) => store.close()))
  },
)
