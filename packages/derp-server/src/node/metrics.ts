// The relay's counters for those who watch it: as text for Prometheus, and as JSON under the names that derper's
// dashboards know (data-plane §2.12).
import type { RelayStats } from '../stats.ts'

/** The content type of the Prometheus text format, version 0.0.4. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * Returns a relay's counters in the Prometheus text format.
 *
 * @param stats - What `RelayServer.stats` says.
 */
export function formatMetrics(stats: RelayStats): string {
  return [
    metric('connections', 'gauge', 'Connections open now, logged in or not.', stats.connections),
    metric('clients', 'gauge', 'Distinct node keys logged in now.', stats.clients),
    metric('clients_elsewhere', 'gauge', 'Node keys that only sibling relays have.', stats.clientsElsewhere),
    metric('clients_duplicate', 'gauge', 'Node keys with several connections now.', stats.duplicateClients),
    metric('clients_home', 'gauge', 'Connections that call this relay their home.', stats.homeConnections),
    metric('mesh_peers', 'gauge', 'Connections of siblings that watch or forward.', stats.meshPeers),
    metric('accepted_total', 'counter', 'Connections taken.', stats.accepted),
    metric('refused_total', 'counter', 'Logins refused.', stats.refused),
    metric('pauses_total', 'counter', 'Times a client was slowed down.', stats.pauses),
    metric('packets_received_total', 'counter', 'Packets from clients.', stats.packetsReceived),
    metric('packets_sent_total', 'counter', 'Packets to clients.', stats.packetsSent),
    metric('bytes_received_total', 'counter', 'Bytes in packets from clients.', stats.bytesReceived),
    metric('bytes_sent_total', 'counter', 'Bytes in packets to clients.', stats.bytesSent),
    metric('packets_forwarded_in_total', 'counter', 'Packets from siblings.', stats.packetsForwardedIn),
    metric('packets_forwarded_out_total', 'counter', 'Packets to siblings.', stats.packetsForwardedOut),
    byReason('packets_dropped_total', 'Packets dropped, by reason.', stats.dropped),
    byReason('closed_total', 'Connections that the relay closed, by reason.', stats.closed),
  ].join('')
}

function metric(name: string, type: string, help: string, value: number): string {
  return `${head(name, type, help)}mesh_relay_${name} ${value}\n`
}

function byReason(name: string, help: string, values: Readonly<Record<string, number | undefined>>): string {
  const lines = Object.entries(values).map(
    ([reason, value]) => `mesh_relay_${name}{reason="${reason}"} ${value}\n`,
  )
  return head(name, 'counter', help) + lines.join('')
}

function head(name: string, type: string, help: string): string {
  return `# HELP mesh_relay_${name} ${help}\n# TYPE mesh_relay_${name} ${type}\n`
}
