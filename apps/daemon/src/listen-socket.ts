// How a daemon takes the place where it is asked, without stealing it.
import { chmodSync } from 'node:fs'
import { lstat, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { makeFolder, systemCodeOf } from '@mesh/sansio/node'

/** The longest socket path that Linux and macOS both take, in bytes. */
const LONGEST_PATH = 103

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
  try {
    makeFolder(dirname(path), 0o755)
  } catch (cause) {
    throw new Error(`The folder of the socket ${path} cannot be made (${systemCodeOf(cause)}).`, { cause })
  }
  if (await isAnswered(path)) {
    throw new Error(`Another meshd is running on ${path}: stop it, or choose another --socket.`)
  }
  await removeSocket(path)
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

/**
 * Removes the socket at `path`; returns whether there was one.
 *
 * @throws Error with one sentence when something else is there, or it cannot be removed.
 */
export async function removeSocket(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return false
  if (!found.isSocket()) throw new Error(`${path} is no socket, and stays: choose another --socket.`)
  await unlink(path).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`The socket ${path} cannot be removed (${cause.code}).`, { cause })
  })
  return true
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
