import { expect, test } from 'vitest'
import type { CoordinatorOutput } from '../src/index.ts'
import { CommandQueue, ControlError, MemoryStore } from '../src/index.ts'
import { World } from './support.ts'

/** A database that is away in the moment of writing. */
class AwayStore extends MemoryStore {
  override async transact(...[, decide]: Parameters<MemoryStore['transact']>): Promise<number> {
    decide(undefined)
    throw new ControlError('ERR_CONTROL_STORE', 'The database is away.')
  }
}

test('whoever waits for a login hears to come again when its approval could not be stored', async () => {
  const world = new World()
  world.user('ann')
  const machine = world.machine(1)
  const { AuthURL } = machine.login()
  const held = machine.register({ Followup: AuthURL })
  world.collect()
  const done: CoordinatorOutput[] = []
  const { coordinator } = world
  const queue = (store: MemoryStore): CommandQueue =>
    new CommandQueue({ coordinator, store, perform: (output) => done.push(output), now: () => world.now })
  const approve = (now: number): unknown =>
    coordinator.logins.approve(AuthURL.split('/').at(-1) ?? '', 'ann', now)
  await expect(queue(new AwayStore()).run(approve)).rejects.toThrow('The database is away.')
  expect(done).toEqual([{ kind: 'refuse', exchange: held, status: 503, text: expect.any(String) as string }])
  const again = machine.register({ Followup: AuthURL })
  await queue(world.store).run(approve)
  expect(done.find((output) => 'exchange' in output && output.exchange === again)).toMatchObject({
    response: { MachineAuthorized: true },
  })
})
