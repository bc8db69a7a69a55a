// `pnpm sim NAME`: what the simulator proves of magicsock. Exit code 1 when it does not.
import { parseArgs } from 'node:util'
import { crowd } from './crowd.ts'
import { explain } from './explain.ts'
import { fuzz } from './fuzz.ts'
import { nat } from './nat.ts'

const USAGE = `usage: pnpm sim NAME, where NAME is one of
  crowd [--nodes N] [--minutes M] [--seed S]  how fast time goes for a hundred nodes
  explain [--seeds N] [--seed S]              the verdicts of explainPath against the truth
  nat                                         every pair of NATs, against what it should be
  fuzz [--seeds N] [--seed S] [--threads T]   random networks and events against a model of what must hold`

/** As many as there are addresses inside the mesh, see `overlayAddress`. */
const MAX_NODES = 255

interface Numbers {
  readonly seed: number
  readonly seeds: number
  readonly threads: number
  readonly nodes: number
  readonly minutes: number
}

const COMMANDS: Readonly<Record<string, (numbers: Numbers) => number | Promise<number>>> = {
  crowd: (numbers) => crowd(numbers),
  explain: ({ seed, seeds }) => explain(seed, seeds),
  nat: () => nat(),
  fuzz: ({ seed, seeds, threads }) => fuzz({ first: seed, count: seeds, threads }),
}

async function main(args: readonly string[]): Promise<number> {
  const asked = parse(args)
  const command = typeof asked === 'string' ? undefined : COMMANDS[asked.name]
  if (typeof asked === 'string' || command === undefined) {
    console.error(typeof asked === 'string' ? `error: ${asked}\n\n${USAGE}` : USAGE)
    return 2
  }
  return command(asked.numbers)
}

function parse(args: readonly string[]): { name: string; numbers: Numbers } | string {
  try {
    const { values, positionals } = parseArgs({
      args: args.filter((arg) => arg !== '--'),
      allowPositionals: true,
      options: {
        seed: { type: 'string', default: '1' },
        seeds: { type: 'string', default: '1000' },
        threads: { type: 'string', default: '1' },
        nodes: { type: 'string', default: '100' },
        minutes: { type: 'string', default: '10' },
      },
    })
    const wrong = Object.entries(values).find(([, text]) => !/^[1-9]\d{0,8}$/.test(text))
    if (wrong !== undefined) return `--${wrong[0]}: ${wrong[1]} is not a number from 1 on`
    if (Number(values.nodes) > MAX_NODES) return `--nodes: ${values.nodes} is more than ${MAX_NODES}`
    const numbers = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, Number(text)]))
    return { name: positionals[0] ?? '', numbers: numbers as Record<keyof typeof values, number> }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

process.exitCode = await main(process.argv.slice(2))
