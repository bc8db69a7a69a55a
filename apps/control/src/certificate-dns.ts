// The DNS server of `--dns-listen`: it answers for the base domain, and says no more of it than the texts by which nodes
// get certificates. Somebody who owns the domain above has to delegate it to here.

import type { ControlListener } from '@mesh/control-server/node'
import { TxtZone } from '@mesh/dns'
import { type DnsListener, listenDns } from '@mesh/dns/node'
import { reasonOf } from '@mesh/sansio/node'
import { CommandError } from './command-error.ts'
import { type ServeFlags, serverUrlOf } from './serve-flags.ts'

/** Starts it when it is wanted. */
export async function answerForDomain(
  flags: ServeFlags,
  control: ControlListener,
): Promise<DnsListener | undefined> {
  const { dnsListen, baseDomain } = flags
  if (!dnsListen) return undefined
  const zone = new TxtZone({
    origin: baseDomain,
    nameservers: [new URL(serverUrlOf(flags)).hostname],
    texts: (name) => control.textsAt(name),
  })
  try {
    return await listenDns({
      ...dnsListen,
      answer: (query, context) => zone.handleQuery(query, context),
    })
  } catch (cause) {
    const where = `${dnsListen.host}:${dnsListen.port}`
    throw new CommandError(`DNS cannot be answered on ${where}: ${reasonOf(cause)}.`, { cause })
  }
}
