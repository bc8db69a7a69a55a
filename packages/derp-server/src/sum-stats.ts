// The counters of one relay that is of several parts.
import type { RelayStats } from './stats.ts'

/**
 * Returns the counters of a relay's parts as those of one relay. A key with connections in two parts counts as a client in
 * both; what the parts hand to each other counts as forwarded.
 *
 * @param first - The part that siblings are joined to.
 * @param others - The other parts.
 */
export function sumStats(first: RelayStats, others: readonly RelayStats[]): RelayStats {
  const sum: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(first)) {
    const values = others.map((each) => each[name as keyof RelayStats])
    sum[name] = typeof value === 'number' ? add(value, values as number[]) : addEach([value, ...values])
  }
  const total = sum as unknown as RelayStats
  // To the first part, the clients of the others are elsewhere.
  const inOthers = total.clients - first.clients
  return { ...total, clientsElsewhere: Math.max(0, first.clientsElsewhere - inOthers) }
}

function add(first: number, others: readonly number[]): number {
  return others.reduce((sum, value) => sum + value, first)
}

function addEach(tables: readonly unknown[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const table of tables as Record<string, number>[])
    for (const [name, value] of Object.entries(table)) sum[name] = (sum[name] ?? 0) + value
  return sum
}
