// `pnpm interop NAME [WORDS]`: runs one group of cases against programs of other projects and prints a table, one line a case:
// how far it came, how long it took, and where and why it stopped. A missing program is a printed skip; a case that
// ran and stopped short makes the exit code 1.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isOnPath, Lab } from '../netns/lab.ts'
import type { InteropCase, Trail } from './case.ts'
import { control } from './control.ts'
import { controlCalls } from './control-calls.ts'
import { controlDns } from './control-dns.ts'
import { controlNodes } from './control-nodes.ts'
import { controlPolicy } from './control-policy.ts'
import { discoKeys } from './disco-keys.ts'
import { first } from './first.ts'
import { headscale } from './headscale.ts'
import { localapi } from './localapi.ts'
import { magicsock } from './magicsock.ts'
import { relay } from './relay.ts'
import { wireguard } from './wireguard.ts'

const GROUPS: Readonly<Record<string, readonly InteropCase[]>> = {
  first,
  control: [...control, ...controlNodes, ...controlCalls, ...controlDns, ...controlPolicy],
  headscale,
  localapi,
  magicsock: [...magicsock, ...discoKeys],
  relay,
  wireguard,
}

type Outcome = 'reached' | 'stopped' | 'skipped'

async function main(name: string | undefined, words = ''): Promise<number> {
  const group = GROUPS[name ?? '']
  if (group === undefined) {
    console.error(`usage: pnpm interop NAME [WORDS], where NAME is one of: ${Object.keys(GROUPS).join(', ')}`)
    return 2
  }
  const cases = group.filter((one) => one.name.includes(words))
  if (cases.length === 0) {
    console.error(`no case of ${name} has "${words}" in its name`)
    return 2
  }
  const outcomes: Outcome[] = []
  for (const one of cases) outcomes.push(await attempt(one))
  const count = (outcome: Outcome): number => outcomes.filter((each) => each === outcome).length
  console.log(`\n${count('reached')} passed, ${count('stopped')} failed, ${count('skipped')} skipped`)
  return count('stopped') > 0 ? 1 : 0
}

async function attempt(one: InteropCase): Promise<Outcome> {
  const reason = skipReason(one)
  if (reason !== undefined) {
    console.log(`- ${one.name}: skipped, ${reason}`)
    return 'skipped'
  }
  const reached: string[] = []
  const start = performance.now()
  const trail: Trail = async (stage, work) => {
    const value = await work()
    reached.push(stage)
    return value
  }
  await using lab = new Lab()
  try {
    await one.run(lab, trail, (program) => join(process.env['MESH_PEERS'] ?? '', program))
    console.log(`✓ ${one.name}: ${reached.join(' → ')} (${seconds(start)})`)
    return 'reached'
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    console.log(`✗ ${one.name}: ${[...reached, 'stopped'].join(' → ')} (${seconds(start)})\n${indent(why)}`)
    return 'stopped'
  }
}

function skipReason({ peers, programs = [] }: InteropCase): string | undefined {
  const folder = process.env['MESH_PEERS']
  if (folder === undefined && peers.length > 0) return 'MESH_PEERS names no folder with the peers'
  const missing = peers.filter((program) => !existsSync(join(folder ?? '', program)))
  if (missing.length > 0) return `MESH_PEERS has no ${missing.join(', ')}`
  const absent = programs.filter((program) => !isOnPath(program))
  if (absent.length > 0) return `not installed: ${absent.join(', ')}`
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'network namespaces need Linux and root'
  return undefined
}

function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ')
}

process.exitCode = await main(process.argv[2], process.argv[3])
