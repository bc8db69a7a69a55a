// Why a machine is not in the mesh, for the person at it.
import type { Status } from '@mesh/net'

/** Returns why a node is not in the mesh and what to do, one sentence, or `undefined` when it is, or about to be. */
export function whyNotRunning({
  BackendState,
  AuthURL,
}: Pick<Status, 'BackendState' | 'AuthURL'>): string | undefined {
  switch (BackendState) {
    case 'Running':
    case 'Starting':
      return undefined
    case 'NeedsLogin':
      return AuthURL
        ? `This machine waits for a login at ${AuthURL}`
        : 'This machine is logged out: use mesh up.'
    case 'NeedsMachineAuth':
      return "This machine waits for an administrator's approval."
    default:
      return 'The mesh is stopped on this machine: use mesh up.'
  }
}
