// What a packet thread says of itself, as lines of a log.
import type { LinuxDataPlaneEvent } from '@mesh/wireguard/node'
import type { NodeLog } from './node-options.ts'

/** Logs what is worth a line. */
export function logThread(event: LinuxDataPlaneEvent, log: NodeLog): void {
  if (event.event === 'ready') {
    log('info', 'data plane', { Kind: 'linux', AEAD: event.aead })
    for (const reason of event.missing) log('info', `slower crypto than there might be: ${reason}`)
  }
  if (event.event === 'degraded') log('warn', `packets move slower than they could: ${event.reason}`)
  if (event.event === 'restarted') log('warn', `the packet thread was begun anew: ${event.reason}`)
}
