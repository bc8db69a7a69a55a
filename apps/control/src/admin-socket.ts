// Where administrators' commands come in: one JSON command a request, over a unix socket that only its owner can open.
// The running server does the work, so what changes is heard by connected nodes at once.

import { chmodSync, unlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { ControlError } from '@mesh/control-server'
import { type ControlListener, readAdminCommand, readPingCommand } from '@mesh/control-server/node'
import { parseJson } from '@mesh/wire/control'
import { ADMIN_HOST, readAll } from './admin-client.ts'
import { CommandError, reasonOf, systemCodeOf } from './command-error.ts'

/** The longest command, bytes: a restored backup is one. Only the owner of the socket sends any. */
const MAX_COMMAND = 256 << 20

/** Answers commands on the socket; an old socket in the way is removed, since its owner is gone. */
export async function listenForCommands(path: string, control: ControlListener): Promise<Server> {
  try {
    unlinkSync(path)
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT')
      throw new CommandError(`The socket ${path} is in the way: ${reasonOf(error)}.`)
  }
  const server = createServer((request, response) => {
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify(body))
    }
    if (request.method !== 'POST' || request.headers.host !== ADMIN_HOST)
      return send(403, { message: 'forbidden' })
    readAll(request, MAX_COMMAND).then(
      (body) => void answer(control, body).then((whole) => send(...whole)),
      () => request.destroy(),
    )
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

async function answer(control: ControlListener, body: Uint8Array): Promise<[status: number, body: object]> {
  const value = parseJson(body)
  const command = readAdminCommand(value)
  const ping = readPingCommand(value)
  if (!command && !ping)
    return [400, { message: 'The server does not know this command: are both programs of one version?' }]
  try {
    if (command) return [200, { result: await control.admin(command) }]
    const roundTrip = ping && (await control.ping(ping.node, ping.kind))
    return [200, { result: { roundTrip: roundTrip ?? null } }]
  } catch (error) {
    if (error instanceof ControlError) return [400, { code: error.code, message: error.message }]
    return [500, { message: `The server failed: ${reasonOf(error)}.` }]
  }
}
