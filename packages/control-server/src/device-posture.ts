// What a device is like, for policies that ask (control §7.11): what its client says of itself, and its `custom:` attributes. It
// is the machine's own word: a posture keeps honest devices out that are not fit, and lying ones in.

import type { DevicePosture } from '@mesh/policy'
import { dropUndefined } from './claims.ts'
import type { NodeRecord } from './records.ts'

/** Returns what a device says it is like. */
export function postureOf({ hostinfo, attributes }: NodeRecord): DevicePosture {
  const { OS, OSVersion, IPNVersion, AllowsUpdate, StateEncrypted } = hostinfo
  const [version, minor] = /^\d+\.(\d+)\.\d+/.exec(IPNVersion ?? '') ?? []
  return {
    ...attributes,
    ...dropUndefined({
      'node:os': OS?.toLowerCase(),
      'node:osVersion': OSVersion,
      'node:tsVersion': version,
      // Releases are stable when their second number is even.
      'node:tsReleaseTrack': minor && (Number(minor) % 2 === 0 ? 'stable' : 'unstable'),
      'node:tsAutoUpdate': IPNVersion === undefined ? undefined : AllowsUpdate === true,
      'node:tsStateEncrypted': StateEncrypted,
    }),
  }
}
