// The tables, and how an older file becomes a newer one: each step runs once, in order, in a transaction with the number
// that says it ran. A step that was released is never edited.

import type { DatabaseSync } from 'node:sqlite'
import { ControlError } from '../errors.ts'

const STEPS: readonly string[] = [
  `CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE pre_auth_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    prefix TEXT NOT NULL UNIQUE,
    secret_hash BLOB NOT NULL,
    user_id INTEGER REFERENCES users (id),
    reusable INTEGER NOT NULL,
    ephemeral INTEGER NOT NULL,
    tags TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    used_at INTEGER
  ) STRICT;
  CREATE TABLE nodes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stable_id TEXT NOT NULL UNIQUE,
    machine_key TEXT NOT NULL,
    node_key TEXT NOT NULL UNIQUE,
    disco_key TEXT NOT NULL,
    user_id INTEGER REFERENCES users (id),
    tags TEXT NOT NULL,
    given_name TEXT NOT NULL UNIQUE,
    ipv4 TEXT NOT NULL UNIQUE,
    ipv6 TEXT NOT NULL UNIQUE,
    expires_at INTEGER,
    register_method TEXT NOT NULL,
    pre_auth_key_id INTEGER REFERENCES pre_auth_keys (id),
    ephemeral INTEGER NOT NULL,
    hostinfo TEXT NOT NULL,
    endpoints TEXT NOT NULL,
    cap_version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen INTEGER
  ) STRICT;
  CREATE INDEX nodes_machine_key ON nodes (machine_key)`,
  `ALTER TABLE nodes ADD COLUMN approved_routes TEXT NOT NULL DEFAULT '[]'`,
]

/** Brings the tables up to date. Throws {@link ControlError} for a file from a later version. */
export function migrate(database: DatabaseSync): void {
  for (let version = versionOf(database); version !== STEPS.length; version = versionOf(database)) {
    if (version > STEPS.length) {
      throw new ControlError(
        'ERR_CONTROL_STORE',
        'The database was written by a later version of this program.',
      )
    }
    runStep(database, version)
  }
}

function runStep(database: DatabaseSync, version: number): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    // Another process may have run the step while this one waited for the lock.
    if (versionOf(database) === version)
      database.exec(`${STEPS[version]}; PRAGMA user_version = ${version + 1}`)
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
}
