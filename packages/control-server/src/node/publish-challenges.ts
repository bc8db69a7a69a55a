// Publishing the texts by which nodes get certificates: first in the node's record, then, where somebody else answers for
// the domain, there too.

import { reasonOf } from '@mesh/sansio/node'
import type { DnsProvider, TxtRecord } from '../certificates.ts'
import { CHALLENGE_LIFETIME } from '../certificates.ts'
import type { CommandQueue } from '../command-queue.ts'
import type { Coordinator } from '../coordinator.ts'
import { ControlError } from '../errors.ts'
import type { ControlLogger } from './logger.ts'

/** What publishing works with. */
export interface PublishOptions {
  readonly coordinator: Coordinator
  readonly queue: () => CommandQueue
  readonly logger: ControlLogger
  /** Whoever else answers for the domain; nobody when left out. */
  readonly provider?: DnsProvider | undefined
}

/** What a node's person reads when it failed. */
const NOT_PUBLISHED = 'The control server could not bring the text into the DNS: its log says why.'

/** Publishes a text of a node. Resolves when authorities can see it. */
export type Publish = (node: number, name: string, value: string) => Promise<void>

/** Returns what publishes. */
export function publishChallenges({ coordinator, queue, logger, provider }: PublishOptions): Publish {
  return async (node, name, value) => {
    const record = await queue().run(() => coordinator.reports.publishChallenge(node, name, value))
    if (!provider) return
    try {
      await provider.publish(record)
    } catch (error) {
      // What it says may be for nobody but the administrator.
      logger.error({ error: reasonOf(error), name: record.name }, 'a text did not come into the DNS')
      throw new ControlError('ERR_CONTROL_CHALLENGE', NOT_PUBLISHED, { cause: error })
    }
    // One that is left over after a restart is harmless: it answers an order that is long over.
    setTimeout(() => void withdraw(provider, record, logger), CHALLENGE_LIFETIME).unref()
  }
}

async function withdraw(provider: DnsProvider, record: TxtRecord, logger: ControlLogger): Promise<void> {
  try {
    await provider.withdraw(record)
  } catch (error) {
    logger.warn({ error: reasonOf(error), name: record.name }, 'a text stays in the DNS')
  }
}
