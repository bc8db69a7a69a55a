// Where the daemon and the command line meet.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The host name that requests carry, so that no page can stumble in by a rebound name. */
export const LOCAL_API_HOST = 'local-tailscaled.sock'

/** Where the daemon of the whole machine answers. */
const SYSTEM_SOCKET = '/var/run/mesh/meshd.sock'

/** Returns where the command line asks when no socket is given: a daemon of the user's own, else that of the machine. */
export function socketToAsk(exists: (path: string) => boolean = existsSync): string {
  const own = defaultSocketPath()
  return !process.env['MESH_SOCKET'] && !exists(own) && exists(SYSTEM_SOCKET) ? SYSTEM_SOCKET : own
}

/** Returns where a daemon answers when no socket is given: a system place for root, a private one for others. */
export function defaultSocketPath(): string {
  const chosen = process.env['MESH_SOCKET']
  if (chosen) return chosen
  if (process.getuid?.() === 0) return SYSTEM_SOCKET
  const runtime = process.env['XDG_RUNTIME_DIR']
  return runtime ? join(runtime, 'mesh', 'meshd.sock') : join(homedir(), '.mesh', 'meshd.sock')
}

/** Returns the state directory used when none is given. */
export function defaultStateDirectory(): string {
  if (process.getuid?.() === 0) return '/var/lib/mesh'
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'mesh')
}
