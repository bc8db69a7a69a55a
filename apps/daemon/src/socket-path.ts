// Where the daemon and the command line meet, and how a daemon takes that place without stealing it.
import { chmodSync } from 'node:fs'
import { mkdir, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** The host name that requests carry, so that no page can stumble in by a rebound name. */
export const LOCAL_API_HOST = 'local-tailscaled.sock'

/** The longest socket path that Linux and macOS both take, in bytes. */
const LONGEST_PATH = 103

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

/**
 * Makes `server` listen at `path` for its owner alone. A socket that nobody answers is what a killed daemon left
 * behind, and is replaced.
 *
 * @throws Error with one sentence when another daemon answers there, or the place cannot be used.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw new Error(
      `The socket path is ${Buffer.byteLength(path)} bytes long and may have ${LONGEST_PATH}: choose a shorter --socket.`,
    )
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  if (await isAnswered(path)) {
    throw new Error(`Another meshd is running on ${path}: stop it, or choose another --socket.`)
  }
  await unlink(path).catch(() => {})
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(new Error(`The socket ${path} cannot be opened (${cause.code}).`, { cause }))
    })
    // The mask closes the moment between bind and chmod.
    const mask = process.umask(0o177)
    server.listen(path, resolve)
    process.umask(mask)
  })
  chmodSync(path, 0o600)
}

/** Tells whether somebody accepts connections at `path`. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
