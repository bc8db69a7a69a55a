// Where the daemon and the command line meet.
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The host name that requests carry, so that no page can stumble in by a rebound name. */
export const LOCAL_API_HOST = 'local-tailscaled.sock'

/** Returns the socket path used when none is given: a system place for root, a private one for others. */
export function defaultSocketPath(): string {
  const chosen = process.env['MESH_SOCKET']
  if (chosen) return chosen
  if (process.getuid?.() === 0) return '/var/run/mesh/meshd.sock'
  const runtime = process.env['XDG_RUNTIME_DIR']
  return runtime ? join(runtime, 'mesh', 'meshd.sock') : join(homedir(), '.mesh', 'meshd.sock')
}

/** Returns the state directory used when none is given. */
export function defaultStateDirectory(): string {
  if (process.getuid?.() === 0) return '/var/lib/mesh'
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'mesh')
}
