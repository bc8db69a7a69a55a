// Publishing the texts by which nodes get certificates: first in the node's record, then, where somebody else answers for
// the domain, there too.

import type { DnsProvider, TxtRecord } from '../certificates.ts'
import { CHALLENGE_LIFETIME } from '../certificates.ts'
import type { CommandQueue } from '../command-queue.ts'
import type { Coordinator } from '../coordinator.ts'
import type { ControlLogger } from './logger.ts'

/** What publishing works with. */
export interface PublishOptions {
  readonly coordinator: Coordinator
  readonly queue: () => CommandQueue
  readonly logger: ControlLogger
  /** Whoever else answers for the domain; nobody when left out. */
  readonly provider?: DnsProvider | undefined
}

/** Publishes a text of a node. Resolves when authorities can see it. */
export type Publish = (node: number, name: string, value: string) => Promise<void>

/** Returns what publishes. */
export function publishChallenges({ coordinator, queue, logger, provider }: PublishOptions): Publish {
  return async (node, name, value) => {
    const record = await queue().run(() => coordinator.reports.publishChallenge(node, name, value))
    if (!provider) return
    await provider.publish(record)
    // One that is left over after a restart is harmless: it answers an order that is long over.
    setTimeout(() => void withdraw(provider, record, logger), CHALLENGE_LIFETIME).unref()
  }
}

async function withdraw(provider: DnsProvider, record: TxtRecord, logger: ControlLogger): Promise<void> {
  try {
    await provider.withdraw(record)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    logger.warn({ error: reason, name: record.name }, 'a text stays in the DNS')
  }
}
