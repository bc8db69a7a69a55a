import { formatMachineKey, generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { expect, test } from 'vitest'
import { startControl } from '../../src/contract/start-control.ts'
import { freePort } from '../../src/contract/postgres-server.ts'
import type { News } from '../../src/index.ts'
import { MemoryStore } from '../../src/index.ts'
import { claimNetwork, type ControlListener } from '../../src/node/index.ts'

/** A database that takes its time. */
class SlowStore extends MemoryStore {
  override async since(version: number): Promise<News> {
    await new Promise((resolve) => setTimeout(resolve, 300))
    return super.since(version)
  }
}

test('a second server of a network does not begin with another private key, and says what to do', async () => {
  const store = new MemoryStore()
  const [first, other] = [generatePrivateKey(systemRandom), generatePrivateKey(systemRandom)]
  const start = (privateKey: Uint8Array): Promise<ControlListener> =>
    startControl({
      store,
      privateKey,
    })
  const [one, two] = [await start(first), await start(first)]
  const refused = start(other)
  await expect(refused).rejects.toMatchObject({ code: 'ERR_CONTROL_CONFIG' })
  const known = formatMachineKey(publicKeyOf(first))
  await expect(refused).rejects.toThrow(
    new RegExp(`^[^.]*${known}: give this one a copy of their key file[^.]*\\.$`),
  )
  // Nor does anybody take it for one of the living.
  expect((await store.attend('me')).servers).toHaveLength(3)
  await Promise.all([one.close(), two.close()])
  await claimNetwork(store, other, true)
  await (await start(other)).close()
})

test('whoever gets through while the server starts is answered', async () => {
  const port = await freePort()
  const started = startControl({
    port,
    store: new SlowStore(),
  })
  const ask = async (): Promise<number | string> => {
    try {
      const signal = AbortSignal.timeout(2000)
      return (await fetch(`http://127.0.0.1:${port}/health`, { signal })).status
    } catch (error) {
      return (error as Error).name
    }
  }
  let answer = await ask()
  // Refused: nobody listens yet.
  while (answer === 'TypeError') answer = await ask()
  expect(answer).toBe(200)
  await (await started).close()
})
