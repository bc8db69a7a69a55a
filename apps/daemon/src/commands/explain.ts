// `mesh explain`: why the path to a peer is as it is, and what would make it direct.
import type { LocalClient } from '../local-client.ts'

/** Returns the verdict on the path to a peer, by name or address, as text or JSON. */
export async function explain(
  client: LocalClient,
  target: string,
  flags: { readonly json?: boolean },
): Promise<string> {
  const { Text, ...report } = await client.explain(target)
  return flags.json ? JSON.stringify(report, undefined, 2) : Text
}
