// `mesh netcheck`: what the node found out about the network it sits in.
import { setTimeout as sleep } from 'node:timers/promises'
import type { LocalClient } from '../local-client.ts'

/** Flags of `mesh netcheck`. */
export interface NetcheckFlags {
  readonly json?: boolean
  readonly format?: 'json' | 'json-line'
  /** Milliseconds between two reports; 0 for one alone. */
  readonly every: number
}

/** Has the node look at its network anew, and prints the report as text or JSON; again and again when that is asked for. */
export async function netcheck(
  client: LocalClient,
  { json, format = json ? 'json' : undefined, every }: NetcheckFlags,
  print: (text: string) => void,
): Promise<void> {
  for (;;) {
    const { Text, ...report } = await client.netcheck()
    if (format === undefined) print(Text)
    else print(JSON.stringify(report, undefined, format === 'json' ? 2 : undefined))
    if (every === 0) return
    await sleep(every)
  }
}
