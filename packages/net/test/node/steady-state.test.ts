// What a packet costs at the gate in memory once everything is warm: nothing, whatever the filter makes of it.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ACCEPT, DROP, UP } from '@mesh/wireguard/arena'
import { expect, test } from 'vitest'

const PROGRAM = fileURLToPath(new URL('programs/million-verdicts.ts', import.meta.url))

test.for([
  ['and the peers know the node by its own addresses', 'plain'],
  ['D20: and one of the peers knows the node by another address', 'masquerade'],
])(
  'a million packets of every kind pass the gate and allocate less than a byte each, %s',
  ([, kind = '']) => {
    const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
    const said = execFileSync(process.execPath, [...flags, PROGRAM, kind], { encoding: 'utf8' })
    const { bytesEach, packets, verdicts } = JSON.parse(said) as {
      bytesEach: number
      packets: number
      verdicts: readonly number[]
    }
    expect(packets).toBeGreaterThan(1_000_000)
    for (const verdict of [ACCEPT, DROP, UP]) expect(verdicts[verdict]).toBeGreaterThan(0)
    expect(bytesEach).toBeLessThan(1)
  },
)
