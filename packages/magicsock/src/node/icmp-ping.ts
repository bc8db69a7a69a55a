// How far a host is by ICMP. Node has no raw sockets, and the system's own `ping` may use them.
import { execFile } from 'node:child_process'
import { formatAddress, type IpAddress } from '@mesh/wire/ip'

/** How long an answer may take, in seconds. */
const PATIENCE = 2

/**
 * Measures the round trip to a host by one ICMP echo, in milliseconds, with the system's `ping`.
 *
 * @returns `undefined` when there is no answer within two seconds, or no such program. Never rejects.
 */
export function pingByIcmp(address: IpAddress): Promise<number | undefined> {
  const args = ['-n', '-c', '1', '-W', String(PATIENCE), formatAddress(address)]
  return new Promise((resolve) => {
    execFile('ping', args, { timeout: (PATIENCE + 1) * 1_000 }, (error, stdout) => {
      const [, time] = /time[=<]([\d.]+) ms/.exec(stdout) ?? []
      resolve(error !== null || time === undefined ? undefined : Number(time))
    })
  })
}
