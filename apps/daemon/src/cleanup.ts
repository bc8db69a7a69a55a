// `meshd --cleanup`: takes away what a daemon that was killed may have left in the system. Its interface, and with it
// addresses and routes, goes by itself with the process; one that was made to last, or a socket, does not.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { DeviceChoice } from './device.ts'
import { isAnswered, removeSocket } from './listen-socket.ts'

const run = promisify(execFile)

/**
 * Removes the socket at `socket` and the interface of `device`, where they are there. Returns what was removed.
 *
 * @throws Error with one sentence when a daemon is running there, or the interface cannot be removed.
 */
export async function cleanUp(socket: string, device: DeviceChoice): Promise<readonly string[]> {
  if (await isAnswered(socket))
    throw new Error(`A meshd is running on ${socket}: stop it before the cleanup.`)
  const removed: string[] = []
  if (await removeSocket(socket)) removed.push(`socket ${socket}`)
  if (device.kind === 'tun' && (await removeTun(device.name))) removed.push(`interface ${device.name}`)
  return removed
}

/** Removes a TUN interface of that name; one of another kind is left alone. Returns whether there was one. */
async function removeTun(name: string): Promise<boolean> {
  if (process.platform !== 'linux') return false
  const show = ['-details', 'link', 'show', 'dev', name, 'type', 'tun']
  const { stdout } = await run('ip', show).catch(() => ({ stdout: '' }))
  if (!stdout.includes('tun type tun')) return false
  await run('ip', ['link', 'delete', 'dev', name]).catch((cause: unknown) => {
    throw new Error(`The interface ${name} cannot be removed: run this as root.`, { cause })
  })
  return true
}
