// `tagOwners`: who may give which tag to a machine (control §7.2).
import type { Policy } from './compile.ts'
import type { Names } from './language/names.ts'
import { isLoginOf, type PolicyUser } from './network.ts'

const GROUP = 'group:'
const TAG = 'tag:'
const EVERYBODY = 'autogroup:member'

/** Tells whether a policy has a tag at all. Without a written one there are no tags that somebody may give. */
export function hasTag(policy: Policy, tag: string): boolean {
  return policy.kind === 'written' && policy.names.hasTag(tag)
}

/**
 * Tells whether a user may give a tag to a machine: as its owner by name, by a group, as anybody, or as an owner of a tag
 * that owns it.
 */
export function ownsTag(policy: Policy, user: PolicyUser, tag: string): boolean {
  return policy.kind === 'written' && owns(policy.names, user, tag, new Set())
}

/** @param asked - The tags on the way here: two may own each other. */
function owns(names: Names, user: PolicyUser, tag: string, asked: Set<string>): boolean {
  if (asked.has(tag)) return false
  asked.add(tag)
  return (names.tagOwners.get(tag) ?? []).some((owner) => {
    if (owner === EVERYBODY) return true
    if (owner.startsWith(TAG)) return owns(names, user, owner, asked)
    const logins = owner.startsWith(GROUP) ? (names.groups.get(owner) ?? []) : [owner]
    return logins.some((login) => isLoginOf(user, login))
  })
}
