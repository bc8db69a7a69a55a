// Where a server keeps what it remembers, and how two servers are kept from sharing one place.

import { chmodSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder, reasonOf } from '@mesh/sansio/node'
import { CommandError } from './command-error.ts'

/** The longest path a unix socket can have on every system. */
const MAX_SOCKET_PATH = 103

/** The files of a state directory. */
export interface StateDirectory {
  /** The directory itself. */
  readonly path: string
  /** Users, keys of users and nodes. */
  readonly database: string
  /** The server's private key. */
  readonly privateKey: string
  /** The private key of the embedded relay. */
  readonly relayKey: string
  /** Where administrators' commands come in. */
  readonly socket: string
}

/** Returns the directory used when none is named. */
export function defaultStateDirectory(): string {
  if (process.getuid?.() === 0) return '/var/lib/mesh-control'
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'mesh-control')
}

/** Returns the files of a directory, whether or not they are there. */
export function stateDirectory(directory: string): StateDirectory {
  const path = resolve(directory)
  const socket = join(path, 'control.sock')
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
    throw new CommandError(`The state directory ${path} has too long a path for the socket in it.`)
  }
  return {
    path,
    socket,
    database: join(path, 'control.sqlite'),
    privateKey: join(path, 'private.key'),
    relayKey: join(path, 'relay.key'),
  }
}

/**
 * Makes the directory (mode 0700; one that is there stays as it is, for it may be somebody's home) and claims it for this
 * process until it ends, however it ends. A lock of SQLite's is used because the system lets go of it when a process is killed.
 */
export function claim(state: StateDirectory): void {
  try {
    makeFolder(state.path)
    const lock = join(state.path, 'control.lock')
    held = new DatabaseSync(lock, { timeout: 0 })
    chmodSync(lock, 0o600)
    held.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    const busy = /database is locked/.test(reasonOf(cause))
    const message = busy
      ? `Another mesh-control already serves from ${state.path}.`
      : `The state directory ${state.path} cannot be used: ${reasonOf(cause)}.`
    throw new CommandError(message, { cause })
  }
}

/** Kept so that the lock lives as long as the process. */
let held: DatabaseSync | undefined
