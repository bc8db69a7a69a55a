// Serves the UAPI of an interface on a Unix socket, where `wg` looks for it.
import { chmod, mkdir, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread } from 'node:worker_threads'
import { formatUapiErrno, formatUapiStatus, UAPI_ERRNO, UapiReader, type UapiRequest } from '../plain/uapi.ts'
import type { WireGuardNode } from './wireguard-node.ts'

/** What of a {@link WireGuardNode} the UAPI needs. */
export type UapiTarget = Pick<WireGuardNode, 'configure' | 'status'>

/** A UAPI being served. */
export interface UapiServer {
  /** Where its socket is. */
  readonly path: string
  /** Ends it and removes the socket. Harmless when repeated. */
  close(): Promise<void>
}

/** Where `wg` looks for interfaces that are programs. */
const FOLDER = '/var/run/wireguard'
/** Programs that steer at one time, and how long one may keep silent, in milliseconds. */
const MAX_CONVERSATIONS = 32
const SILENCE = 30_000
/** How long a program may take to go with its interface, and how often that is looked at, in milliseconds. */
const PATIENCE = 2_000
const MOMENT = 50

/**
 * Lets `wg` steer an interface: `wg show NAME`, `wg set NAME …`. Only the socket's owner, root, may connect, for the answers
 * hold the private key.
 *
 * @throws Error in one sentence when another program serves an interface of that name.
 */
export async function serveUapi(node: UapiTarget, name: string, folder = FOLDER): Promise<UapiServer> {
  const path = join(folder, `${name}.sock`)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await removeStale(path, name)
  const conversations = new Set<Socket>()
  const server = createServer((socket) => {
    conversations.add(socket)
    socket.on('close', () => conversations.delete(socket))
    converse(node, socket)
  })
  server.maxConnections = MAX_CONVERSATIONS
  listenAlone(server, path)
  await once(server, 'listening')
  await chmod(path, 0o600)
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    for (const socket of conversations) socket.destroy()
    await new Promise<void>((resolve) => void server.close(() => resolve())) // which removes the socket, too
  }
  return { path, close: () => (closing ??= close()) }
}

/** The mask closes the moment between bind and chmod. It is the whole process's, and a worker may not touch it. */
function listenAlone(server: Server, path: string): void {
  if (!isMainThread) return void server.listen(path)
  const mask = process.umask(0o177)
  server.listen(path)
  process.umask(mask)
}

/**
 * A socket that nobody answers at was left behind by a program that was killed. One that somebody answers at may be that of an
 * interface that was just deleted: its program is given a moment to go.
 */
async function removeStale(path: string, name: string): Promise<void> {
  for (let waited = 0; await answers(path); waited += MOMENT) {
    if (waited >= PATIENCE) throw new Error(`the interface ${name} is served by another program already`)
    await sleep(MOMENT)
  }
  await rm(path, { force: true })
}

async function answers(path: string): Promise<boolean> {
  const probe = connect(path)
  try {
    await once(probe, 'connect')
    return true
  } catch {
    return false
  } finally {
    probe.destroy()
  }
}

function converse(node: UapiTarget, socket: Socket): void {
  const reader = new UapiReader()
  let turn = Promise.resolve()
  socket.setEncoding('utf8')
  socket.setTimeout(SILENCE, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (text: string) => {
    for (const request of reader.read(text)) {
      turn = turn.then(async () => {
        const answer = await answerTo(node, request)
        if (answer === undefined) socket.destroy()
        else if (!socket.destroyed) socket.write(answer)
      })
    }
  })
}

/** The answer; `undefined` to hang up. */
async function answerTo(node: UapiTarget, request: UapiRequest): Promise<string | undefined> {
  switch (request.kind) {
    case 'get':
      return formatUapiStatus(node.status())
    case 'set':
      return formatUapiErrno(await errnoOf(node.configure(request.change)))
    case 'invalid':
      return formatUapiErrno(UAPI_ERRNO.invalid)
    case 'unknown':
      return undefined
  }
}

async function errnoOf(work: Promise<void>): Promise<number> {
  try {
    await work
    return UAPI_ERRNO.ok
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EADDRINUSE') return UAPI_ERRNO.portInUse
    if (code === 'EOPNOTSUPP') return UAPI_ERRNO.unsupported
    return error instanceof RangeError ? UAPI_ERRNO.invalid : UAPI_ERRNO.io
  }
}
