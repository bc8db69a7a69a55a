// `pnpm soak NAME [--minutes N]`: runs something for long and prints one line of JSON with what was found. What stopped
// short, died, grew or came out wrong makes the exit code 1.
import { parseArgs } from 'node:util'
import { Lab } from '../netns/lab.ts'
import { runFullSpeed } from './full-speed.ts'
import { faultsOf, runHostile } from './hostile.ts'
import { isFlat } from './memory.ts'

interface Soak {
  readonly minutes: number
  readonly run: (lab: Lab, seconds: number) => Promise<{ report: object; faults: readonly string[] }>
}

const SOAKS: Readonly<Record<string, Soak>> = {
  hostile: {
    minutes: 30,
    run: async (lab, seconds) => {
      const report = await runHostile(lab, seconds)
      return { report, faults: faultsOf(report, seconds) }
    },
  },
  'full-speed': {
    minutes: 10,
    run: async (lab, seconds) => {
      const report = await runFullSpeed(lab, seconds)
      const grown = Object.entries(report.memory).filter(([, memory]) => !isFlat(memory, seconds))
      const faults = grown.map(([name, memory]) => `memory of ${name} grew: ${JSON.stringify(memory)}`)
      return {
        report,
        faults: report.deaths > 0 ? [...faults, `packet threads died: ${report.deaths}`] : faults,
      }
    },
  },
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { minutes: { type: 'string' } },
  })
  const [name = ''] = positionals
  const soak = Object.hasOwn(SOAKS, name) ? SOAKS[name] : undefined
  const minutes = Number(values.minutes ?? soak?.minutes)
  if (soak === undefined || !(minutes > 0)) {
    console.error(
      `usage: pnpm soak NAME [--minutes N], where NAME is one of: ${Object.keys(SOAKS).join(', ')}`,
    )
    return 2
  }
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    console.error('error: network namespaces need Linux and root')
    return 2
  }
  console.log(`${name} for ${minutes} minutes`)
  await using lab = new Lab()
  const { report, faults } = await soak.run(lab, Math.ceil(minutes * 60))
  console.log(JSON.stringify({ name, minutes, ...report }))
  for (const fault of faults) console.error(`error: ${fault}`)
  return faults.length > 0 ? 1 : 0
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
