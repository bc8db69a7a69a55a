// What a node's person should know and cannot see from their machine: its client shows these among its health warnings
// (control §3.5). They come from the record alone, so the same record always gives the same messages.

import type { DisplayMessage } from '@mesh/wire/control'
import type { NodeRecord } from './records.ts'
import { isExitRoute } from './routes.ts'

/** How long before a login ends its person is told, milliseconds. */
export const EXPIRY_WARNING = 24 * 3_600_000
/** The most routes named in a message. */
const MAX_NAMED = 5

/** Messages by id. */
export type DisplayMessages = Readonly<Record<string, DisplayMessage>>

/** Returns what the person at a node should be told at a Unix time. */
export function displayMessages(node: NodeRecord, wall: number): DisplayMessages {
  return { ...aboutApproval(node), ...aboutExpiry(node, wall), ...aboutRoutes(node) }
}

function aboutApproval({ approved }: NodeRecord): DisplayMessages {
  if (approved) return {}
  const Text = 'This machine is logged in, and takes part as soon as an administrator approves it.'
  return { 'mesh-approval-waits': { Title: 'Waiting for approval', Text, Severity: 'high' } }
}

/** An ended login needs no message: the client asks for a new one. */
function aboutExpiry({ expiresAt }: NodeRecord, wall: number): DisplayMessages {
  if (expiresAt === undefined || expiresAt <= wall || expiresAt - wall > EXPIRY_WARNING) return {}
  const when = `${new Date(expiresAt).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const Text = `This machine stays logged in until ${when}. Log in again before, or ask an administrator to extend it.`
  return { 'mesh-login-ends': { Title: 'Login ends soon', Text, Severity: 'medium' } }
}

function aboutRoutes({ hostinfo, approvedRoutes }: NodeRecord): DisplayMessages {
  const waiting = (hostinfo.RoutableIPs ?? []).filter((route) => !approvedRoutes.includes(route))
  if (waiting.length === 0) return {}
  const subnets = waiting.filter((route) => !isExitRoute(route))
  const names = [...subnets, ...(subnets.length < waiting.length ? ['being an exit node'] : [])]
  const others = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : ''
  const Text = `This machine offers ${names.slice(0, MAX_NAMED).join(', ')}${others}; nobody uses that before an administrator approves it.`
  return { 'mesh-routes-wait': { Title: 'Routes need approval', Text, Severity: 'low' } }
}
