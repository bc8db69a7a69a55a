// What all clients of one identity, a user's machines say, may send together.
import { Allowance, type ReceiveLimit } from './allowance.ts'

/** A limit that everybody of one identity shares. */
export interface Quota extends ReceiveLimit {
  /** Whose it is, in whatever words the admission uses. */
  readonly identity: string
}

/** The account of one identity, which its connections share. */
export interface Account {
  quota: Quota
  allowance: Allowance
  users: number
}

/** The accounts of the identities that are here. */
export class Quotas {
  readonly #accounts = new Map<string, Account>()

  /** Returns the account that a connection shares from now on. What the admission said last holds for all of them. */
  join(quota: Quota, now: number): Account {
    let account = this.#accounts.get(quota.identity)
    if (account === undefined) {
      account = { quota, allowance: new Allowance(quota, now), users: 0 }
      this.#accounts.set(quota.identity, account)
    } else if (!sameLimit(account.quota, quota)) {
      account.quota = quota
      account.allowance = new Allowance(quota, now)
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

function sameLimit(a: Quota, b: Quota): boolean {
  return a.bytesPerSecond === b.bytesPerSecond && a.burst === b.burst
}
