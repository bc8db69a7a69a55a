// The case of `pnpm interop relay` without which a relay is none, with every test run that has the programs for it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { relay } from '../interop/relay.ts'
import { netnsTest } from './support.ts'

const test = netnsTest('nft', 'ping')

test('S1, S3: two real tailscaled with UDP blocked see the relay’s latency and reach each other through it', async ({
  lab,
  skip,
}) => {
  const folder = process.env['MESH_PEERS']
  if (folder === undefined) return skip('MESH_PEERS names no folder with tailscaled')
  const one = relay.find(({ name }) => name.startsWith('S1, S3'))!
  const missing = one.peers.filter((program) => !existsSync(join(folder, program)))
  if (missing.length > 0) return skip(`MESH_PEERS has no ${missing.join(', ')}`)
  const reached: string[] = []
  await one.run(
    lab,
    async (stage, work) => {
      const value = await work()
      reached.push(stage)
      return value
    },
    (program) => join(folder, program),
  )
  expect(reached).toEqual(expect.arrayContaining(['relayed', 'latency in netcheck']))
})
