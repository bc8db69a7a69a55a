// What a server counts, for those who watch it: how the network stands, and what this server did since it began.

import type { CoordinatorOutput } from '../coordinator-output.ts'
import type { Coordinator } from '../coordinator.ts'

/** The content type of the Prometheus text format, version 0.0.4. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Counters and gauges of a server. */
export interface ControlStats {
  /** People who own nodes. */
  readonly users: number
  /** All nodes. */
  readonly nodes: number
  /** Those that count as connected, to whatever server. */
  readonly nodesOnline: number
  /** Those whose login has expired. */
  readonly nodesExpired: number
  /** Those that wait for approval. */
  readonly nodesWaiting: number
  /** Logins that wait for a person. */
  readonly loginsWaiting: number
  /** The version of the records: it goes up with every transaction, of whatever server. */
  readonly version: number
  /** What befell nodes since the server began, by event: `registered`, `online`, `offline`, `removed`, `logged-out`. */
  readonly events: Readonly<Record<string, number>>
  /** What was sent to clients since, by kind: `register-response`, `map-response`, `refuse`, … */
  readonly answers: Readonly<Record<string, number>>
}

/** Counts what a coordinator says. */
export class Tally {
  readonly #events = new Map<string, number>()
  readonly #answers = new Map<string, number>()

  /** Notes one output. */
  note(output: CoordinatorOutput): void {
    if (output.kind === 'event') count(this.#events, output.event)
    else count(this.#answers, output.kind)
  }

  /** Returns how things stand. */
  stats(coordinator: Coordinator): ControlStats {
    const nodes = coordinator.nodes.all()
    return {
      users: coordinator.accounts.users().length,
      nodes: nodes.length,
      nodesOnline: nodes.filter(({ online }) => online).length,
      nodesExpired: nodes.filter(({ expired }) => expired).length,
      nodesWaiting: nodes.filter(({ node }) => !node.approved).length,
      loginsWaiting: coordinator.logins.all().length,
      version: coordinator.version,
      events: Object.fromEntries(this.#events),
      answers: Object.fromEntries(this.#answers),
    }
  }
}

/** Returns stats in the Prometheus text format. */
export function formatStats(stats: ControlStats): string {
  return [
    gauge('users', 'People who own nodes.', stats.users),
    gauge('nodes', 'Nodes.', stats.nodes),
    gauge('nodes_online', 'Nodes that count as connected.', stats.nodesOnline),
    gauge('nodes_expired', 'Nodes whose login has expired.', stats.nodesExpired),
    gauge('nodes_waiting', 'Nodes that wait for approval.', stats.nodesWaiting),
    gauge('logins_waiting', 'Logins that wait for a person.', stats.loginsWaiting),
    gauge('version', 'Transactions of the network, of whatever server.', stats.version),
    counters('events_total', 'What befell nodes, by event.', 'event', stats.events),
    counters('answers_total', 'What was sent to clients, by kind.', 'kind', stats.answers),
    gauge('memory_bytes', 'Resident memory of the process.', process.memoryUsage.rss()),
    gauge('uptime_seconds', 'How long the process runs.', Math.round(process.uptime())),
  ].join('')
}

function count(all: Map<string, number>, name: string): void {
  all.set(name, (all.get(name) ?? 0) + 1)
}

function gauge(name: string, help: string, value: number): string {
  return `# HELP mesh_control_${name} ${help}\n# TYPE mesh_control_${name} gauge\nmesh_control_${name} ${value}\n`
}

function counters(
  name: string,
  help: string,
  label: string,
  values: Readonly<Record<string, number>>,
): string {
  const lines = Object.entries(values).map(
    ([key, value]) => `mesh_control_${name}{${label}="${key}"} ${value}\n`,
  )
  return [`# HELP mesh_control_${name} ${help}\n# TYPE mesh_control_${name} counter\n`, ...lines].join('')
}
