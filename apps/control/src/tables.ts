// Answers for people: columns as wide as they need to be.

import type {
  ApiKeyJson,
  LoginJson,
  NodeJson,
  PreAuthKeyJson,
  ReservationJson,
  UserJson,
} from '@mesh/control-server/node'
import { printable } from './output.ts'

/** Returns users as a table. */
export function usersTable(users: readonly UserJson[]): string {
  const rows = users.map(({ id, name, displayName, email, createdAt }) => [
    id,
    name,
    displayName,
    email || '-',
    shortTime(createdAt),
  ])
  return table(['ID', 'NAME', 'DISPLAY NAME', 'EMAIL', 'CREATED'], rows)
}

/** Returns pre-auth keys as a table. */
export function preAuthKeysTable(keys: readonly PreAuthKeyJson[]): string {
  const rows = keys.map((key) => [
    key.id,
    key.key,
    key.user?.name ?? key.aclTags.join(','),
    yesNo(key.reusable),
    yesNo(key.ephemeral),
    yesNo(key.used),
    shortTime(key.expiration),
  ])
  return table(['ID', 'KEY', 'OWNER', 'REUSABLE', 'EPHEMERAL', 'USED', 'EXPIRES'], rows)
}

/** Returns API keys as a table. */
export function apiKeysTable(keys: readonly ApiKeyJson[]): string {
  const rows = keys.map(({ id, prefix, expiration, createdAt }) => [
    id,
    prefix,
    shortTime(expiration),
    shortTime(createdAt),
  ])
  return table(['ID', 'PREFIX', 'EXPIRES', 'CREATED'], rows)
}

/** Returns reserved addresses as a table. */
export function reservationsTable(reservations: readonly ReservationJson[]): string {
  const rows = reservations.map(({ id, addresses, holder, createdAt }) => [
    id,
    addresses.join(', '),
    holder,
    shortTime(createdAt),
  ])
  return table(['ID', 'ADDRESSES', 'FOR', 'CREATED'], rows)
}

/** Returns waiting logins as a table. */
export function loginsTable(logins: readonly LoginJson[]): string {
  const rows = logins.map(({ key, hostname, os, tags, asked }) => [
    key,
    hostname,
    os,
    tags.join(','),
    shortTime(asked),
  ])
  return table(['AUTH ID', 'HOSTNAME', 'OS', 'TAGS', 'ASKED'], rows)
}

/** Returns nodes as a table. */
export function nodesTable(nodes: readonly NodeJson[]): string {
  const rows = nodes.map((node) => [
    node.id,
    node.givenName,
    node.tags.join(',') || node.user.name,
    node.ipAddresses.join(', '),
    stateOf(node),
    node.online ? '-' : shortTime(node.lastSeen),
    shortTime(node.expiry),
  ])
  return table(['ID', 'NAME', 'OWNER', 'ADDRESSES', 'STATE', 'LAST SEEN', 'EXPIRES'], rows)
}

/** Returns the routes of nodes as a table. */
export function routesTable(nodes: readonly NodeJson[]): string {
  const rows = nodes.map((node) => [
    node.id,
    node.givenName,
    node.approvedRoutes.join(', ') || '-',
    node.availableRoutes.join(', ') || '-',
    node.subnetRoutes.join(', ') || '-',
  ])
  return table(['ID', 'NAME', 'APPROVED', 'AVAILABLE', 'SERVING'], rows)
}

function stateOf({ approved, expired, online }: NodeJson): string {
  if (!approved) return 'waiting'
  return expired ? 'expired' : online ? 'online' : 'offline'
}

/** Returns rows under their heads, in columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((row) => row.map(printable))
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no'
}

/** Times to the second, in UTC; `never` when there is none. */
function shortTime(time: string | null): string {
  return time === null ? 'never' : time.slice(0, 19).replace('T', ' ')
}
