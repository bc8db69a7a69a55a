// What a packet costs in memory once everything is warm: nothing, whoever it goes to or comes from.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const PROGRAM = fileURLToPath(new URL('programs/magicsock-memory.ts', import.meta.url))

test.each(['send', 'receive'])(
  'a million packets allocate less than a byte each, peers of both families in turn: %s',
  (what) => {
    const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
    const said = execFileSync(process.execPath, [...flags, PROGRAM, what], { encoding: 'utf8' })
    const { allocated, packets, trouble } = JSON.parse(said) as Record<string, number>
    expect(trouble).toBe(0)
    expect(allocated! / packets!).toBeLessThan(1)
  },
)
