// Where administrators' commands come in: one JSON command a request, or what Headscale's command line sends to its own
// socket, over a unix socket that only its owner can open. The running server does the work, so what changes is heard by
// connected nodes at once.

import { chmodSync, unlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AdminSeat, serveAdmin } from '@mesh/control-server/node'
import { reasonOf, systemCodeOf } from '@mesh/sansio/node'
import { ADMIN_HOST } from './admin-client.ts'
import { CommandError } from './command-error.ts'

/** Names that no web page has: ours, and the one that Headscale's command line uses. */
const HOSTS: ReadonlySet<string | undefined> = new Set([ADMIN_HOST, 'local'])

/** Answers commands on the socket; an old socket in the way is removed, since its owner is gone. */
export async function listenForCommands(path: string, control: AdminSeat): Promise<Server> {
  try {
    unlinkSync(path)
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT')
      throw new CommandError(`The socket ${path} is in the way: ${reasonOf(error)}.`)
  }
  const server = createServer((request, response) => {
    if (HOSTS.has(request.headers.host)) return void serveAdmin(control, request, response)
    response.writeHead(403, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify({ message: 'forbidden' }))
  })
  const before = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
  } finally {
    process.umask(before)
  }
  chmodSync(path, 0o600)
  return server
}
