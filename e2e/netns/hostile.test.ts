// Hostile traffic of every kind against the Linux data plane, for as long as MESH_HOSTILE_SECONDS says; `pnpm soak hostile`
// does the same for half an hour.
import { expect } from 'vitest'
import { faultsOf, runHostile } from '../soak/hostile.ts'
import { netnsTest } from './support.ts'

const test = netnsTest('wg', 'ping')
const SECONDS = Number(process.env['MESH_HOSTILE_SECONDS'] ?? 15)

test('threats 18 and 21: strangers, a peer and a TUN that lie, at full speed: no crash, no wrong byte, flat memory', {
  timeout: SECONDS * 1_000 + 120_000,
}, async ({ lab }) => {
  const report = await runHostile(lab, SECONDS)
  console.log(JSON.stringify(report))
  expect(faultsOf(report, SECONDS)).toEqual([])
  // Every kind of harm was there, and was counted for what it is.
  const { drops } = report
  for (const reason of ['unknown-index', 'forged', 'replayed', 'bad-inner', 'wrong-source'])
    expect([reason, drops[reason]]).not.toEqual([reason, 0])
})
