// `pnpm bench NAME [--json] [--peer PATH]`: runs one benchmark. With `--json` the last line is one JSON object
// `{ name, machine, ours, peer, ratio }`.
import { parseArgs } from 'node:util'
import { aeadBench } from './aead.ts'
import type { Bench, BenchResult } from './bench.ts'
import { daemonBench } from './daemon.ts'
import { controlBench } from './control.ts'
import { dataplaneBench } from './dataplane.ts'
import { handshakeBench } from './handshake.ts'
import { watchMachine } from './machine.ts'
import { magicsockBench } from './magicsock.ts'
import { relayFreezeBench } from './relay-freeze.ts'
import { relayIdleBench } from './relay-idle.ts'
import { relayBench } from './relay.ts'

const benches: Readonly<Record<string, Bench>> = {
  aead: aeadBench,
  control: controlBench,
  handshake: handshakeBench,
  magicsock: magicsockBench,
  dataplane: dataplaneBench,
  daemon: daemonBench,
  relay: relayBench,
  'relay-idle': relayIdleBench,
  'relay-freeze': relayFreezeBench,
}

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  const parsed = parse(args)
  if (typeof parsed === 'string') return refuse(parsed)
  const { name, json, peer } = parsed
  const bench = Object.hasOwn(benches, name) ? benches[name] : undefined
  if (bench === undefined) return refuse(name === '' ? 'which benchmark?' : `there is no benchmark "${name}"`)
  const machineOf = watchMachine()
  const say = (line: string): void => {
    if (json) process.stderr.write(`${line}\n`)
    else console.log(line)
  }
  try {
    const figures = await bench.run({ peer, say })
    const result: BenchResult = { name, machine: machineOf(), ...figures }
    for (const fault of result.faults ?? []) process.stderr.write(`error: ${fault}\n`)
    if (json) console.log(JSON.stringify(result))
    else
      say(
        `on ${result.machine.cpu}, node ${result.machine.node}, others used ${percent(result.machine.foreignLoad)}`,
      )
    return (result.faults ?? []).length === 0 ? 0 : 1
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

interface Asked {
  readonly name: string
  readonly json: boolean
  readonly peer: string | undefined
}

/** What the command line says, or what is wrong with it. */
function parse(args: readonly string[]): Asked | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args].filter((arg) => arg !== '--'),
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, peer: { type: 'string' } },
    })
    if (positionals.length > 1) return `one benchmark at a time, not ${positionals.length}`
    return { name: positionals[0] ?? '', json: values.json, peer: values.peer }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function refuse(reason: string): number {
  process.stderr.write(`error: ${reason}\n\nusage: pnpm bench NAME [--json] [--peer PATH]\n\n`)
  for (const [name, { summary }] of Object.entries(benches))
    process.stderr.write(`  ${name.padEnd(12)} ${summary}\n`)
  return 2
}

function percent(share: number): string {
  return `${Math.round(share * 100)} % of the processor`
}
