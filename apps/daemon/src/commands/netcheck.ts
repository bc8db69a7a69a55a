// `mesh netcheck`: what the node found out about the network it sits in.
import type { LocalClient } from '../local-client.ts'

/** Has the node look at its network anew, and returns the report as text or JSON. */
export async function netcheck(client: LocalClient, flags: { readonly json?: boolean }): Promise<string> {
  const { Text, ...report } = await client.netcheck()
  return flags.json ? JSON.stringify(report, undefined, 2) : Text
}
