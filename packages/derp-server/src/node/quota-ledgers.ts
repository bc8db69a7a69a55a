// The accounts of identities, for all threads of a relay. The main thread is asked about every client, so it says with the quota
// where the account lies.
import type { Quota, SharedQuota } from '../quotas.ts'
import { type Ledger, openLedger, setLimit } from '../shared-allowance.ts'
import type { Verdict } from './create-relay.ts'

/** So many identities are known; then the one that was asked about longest ago is forgotten, and begins anew. */
const MAX_LEDGERS = 65_536

/** Returns a quota as the relay of this thread takes it. */
export function inThisThread(quota: Quota & Partial<SharedQuota>): Quota | SharedQuota {
  const { ledger } = quota
  return ledger === undefined ? quota : { ...quota, ledger, sharedNow: sharedNow() }
}

/** Returns milliseconds of the clock that all threads of this process share. */
function sharedNow(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

/** Knows the account of each identity. */
export class QuotaLedgers {
  readonly #ledgers = new Map<string, Ledger>()

  /** Returns what is said of a client, with the account where it has one. */
  shared(verdict: Verdict): Verdict {
    if (typeof verdict === 'boolean') return verdict
    const ledger = this.#ledgerOf(verdict)
    setLimit(ledger, verdict)
    return { ...verdict, ledger } as Quota
  }

  #ledgerOf({ identity }: Quota): Ledger {
    const ledger = this.#ledgers.get(identity) ?? openLedger(sharedNow())
    // At the end of the line again.
    this.#ledgers.delete(identity)
    this.#ledgers.set(identity, ledger)
    const [oldest] = this.#ledgers.keys()
    if (oldest !== undefined && this.#ledgers.size > MAX_LEDGERS) this.#ledgers.delete(oldest)
    return ledger
  }
}
