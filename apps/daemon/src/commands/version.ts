// `mesh version`: which release this is, and which one the daemon is of.
import { CAPABILITY_VERSION } from '@mesh/wire/control'
import type { LocalClient } from '../local-client.ts'
import { VERSION } from '../version.ts'

/** Returns the version as text or JSON. Only with `daemon` is the daemon asked. */
export async function version(
  client: LocalClient,
  { daemon, json }: { readonly daemon?: boolean; readonly json?: boolean },
): Promise<string> {
  const daemonLong = daemon ? (await client.status(false)).Version : undefined
  if (json) {
    const own = { majorMinorPatch: VERSION, short: VERSION, long: VERSION }
    return JSON.stringify({ ...own, daemonLong, cap: CAPABILITY_VERSION }, undefined, 2)
  }
  const own = `${VERSION}\n  node: ${process.version}`
  return daemonLong === undefined ? own : `Client: ${own}\nDaemon: ${daemonLong}`
}
