// Every case of the lab, one after the other, and a table of what came of them. Part of `pnpm natlab` only: it takes
// minutes.
import { afterAll, expect } from 'vitest'
import { netnsTest } from '../../netns/support.ts'
import { changes } from './changes.ts'
import { BURST, type LabCase, type PairOutcome, play } from './lab-case.ts'
import { neighbours } from './neighbours.ts'
import { roads } from './roads.ts'

const CASES: readonly LabCase[] = [...neighbours, ...changes, ...roads]

const test = netnsTest('nft', 'conntrack', 'tayga', 'sysctl')

const lines: string[] = []
afterAll(() => console.log(lines.join('\n')))

test.for(CASES)('$name', async (one, { lab }) => {
  const outcomes = await play(lab, one)
  lines.push(...outcomes.map((outcome) => lineOf(one, outcome)))
  expect(outcomes.map(resultOf)).toEqual(outcomes.map(expectedOf))
})

/** What came of a pair, in words; where the road loses packets their number says nothing. */
function resultOf({ name, expected, verdict, heard, seen }: PairOutcome): string {
  const came = expected === 'lossy' ? 'some' : heard.join('/')
  const leaked = verdict === 'relayed' && seen.some((count) => count > 0) ? ', some of it direct' : ''
  return `${name}: ${verdict}${leaked}, heard ${came}`
}

function expectedOf({ name, expected }: PairOutcome): string {
  return expected === 'lossy'
    ? `${name}: direct, heard some`
    : `${name}: ${expected}, heard ${BURST}/${BURST}`
}

function lineOf({ name }: LabCase, outcome: PairOutcome): string {
  const { verdict, after, heard } = outcome
  const time = after === undefined ? '' : `${after} ms`
  return `${`${name} (${outcome.name})`.padEnd(88)} ${verdict.padEnd(8)} ${time.padStart(9)}  ${heard.join('/')}`
}
