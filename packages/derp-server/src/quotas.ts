// What all clients of one identity, a user's machines say, may send together.
import { Allowance, type ReceiveLimit } from './allowance.ts'
import { type Ledger, SharedAllowance } from './shared-allowance.ts'

/** A limit that everybody of one identity shares. */
export interface Quota extends ReceiveLimit {
  /** Whose it is, in whatever words the admission uses. */
  readonly identity: string
}

/** A quota whose account other parts of the same relay use, too. */
export interface SharedQuota extends Quota {
  /** Where it lies. */
  readonly ledger: Ledger
  /** The moment of the admission on the clock that all parts share, milliseconds. */
  readonly sharedNow: number
}

/** The account of one identity, which its connections share. */
export interface Account {
  quota: Quota
  allowance: Allowance | SharedAllowance
  users: number
}

/** The accounts of the identities that are here. */
export class Quotas {
  readonly #accounts = new Map<string, Account>()

  /** Returns the account that a connection shares from now on. What the admission said last holds for all of them. */
  join(quota: Quota | SharedQuota, now: number): Account {
    let account = this.#accounts.get(quota.identity)
    if (account === undefined) {
      account = { quota, allowance: openAccount(quota, now), users: 0 }
      this.#accounts.set(quota.identity, account)
    } else if (!sameLimit(account.quota, quota)) {
      account.quota = quota
      account.allowance = openAccount(quota, now)
    }
    account.users += 1
    return account
  }

  /** Notes that one of them left. An account without users is forgotten: who comes back begins with a full one. */
  leave(account: Account): void {
    account.users -= 1
    if (account.users === 0) this.#accounts.delete(account.quota.identity)
  }
}

function openAccount(quota: Quota | SharedQuota, now: number): Allowance | SharedAllowance {
  if (!('ledger' in quota)) return new Allowance(quota, now)
  return new SharedAllowance(quota.ledger, quota.sharedNow - now)
}

function sameLimit(a: Quota, b: Quota): boolean {
  return a.bytesPerSecond === b.bytesPerSecond && a.burst === b.burst
}
