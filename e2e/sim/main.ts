// `pnpm sim NAME`: what the simulator proves of magicsock. Exit code 1 when it does not.
import { parseArgs } from 'node:util'
import { explain } from './explain.ts'
import { fuzz } from './fuzz.ts'
import { nat } from './nat.ts'

const USAGE = `usage: pnpm sim NAME, where NAME is one of
  explain [--seeds N] [--seed S]              the verdicts of explainPath against the truth
  nat                                         every pair of NATs, against what it should be
  fuzz [--seeds N] [--seed S] [--threads T]   random networks and events against a model of what must hold`

interface Numbers {
  readonly seed: number
  readonly seeds: number
  readonly threads: number
}

const COMMANDS: Readonly<Record<string, (numbers: Numbers) => number | Promise<number>>> = {
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
      },
    })
    const wrong = Object.entries(values).find(([, text]) => !/^[1-9]\d{0,8}$/.test(text))
    if (wrong !== undefined) return `--${wrong[0]}: ${wrong[1]} is not a number from 1 on`
    const { seed, seeds, threads } = values
    return {
      name: positionals[0] ?? '',
      numbers: { seed: Number(seed), seeds: Number(seeds), threads: Number(threads) },
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

process.exitCode = await main(process.argv.slice(2))
