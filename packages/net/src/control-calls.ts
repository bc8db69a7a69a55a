// What a node answers when control asks its own handlers (control protocol §3.9), under the paths and in the field names that
// clients of this family have. What it has nothing of it says in those fields; a path that is not here is none.
import type { CallAnswer, ControlCall } from '@mesh/control-client'
import type { NetworkMap } from '@mesh/netmap'
import { healthWarnings } from './health.ts'
import type { Status } from './status.ts'

/** What the answers are made from. */
export interface CallSources {
  /** The map, once there is one. */
  readonly map: NetworkMap | undefined
  /** What is wrong, a sentence each, as the node itself knows it. */
  readonly health: readonly string[]
  /** Returns the whole status. */
  readonly status: () => Omit<Status, 'Version'>
}

type Handler = (sources: CallSources, call: ControlCall) => CallAnswer

/** By method and path; by path alone when any method will do. */
const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['/debug/health', ({ health, map }) => json({ Warnings: healthWarnings(health, map) })],
  ['GET /debug/netmap', ({ map }) => json({ current: map ? describeMap(map) : null })],
  ['/debug/metrics', ({ status }) => ({ status: 200, body: formatMetrics(status()) })],
  ['GET /update', () => json(NO_UPDATES)],
  ['POST /update', () => json({ ...NO_UPDATES, Err: 'this client does not update itself' })],
  ['GET /posture/identity', () => json({ PostureDisabled: true })],
  ['GET /tls-cert-status', tlsCertificate],
  ['GET /vip-services', () => json({ ServicesHash: '' })],
])

const NO_UPDATES = { Enabled: false, Supported: false, Started: false }
const PATHS: ReadonlySet<string> = new Set(Array.from(HANDLERS.keys(), (key) => key.split(' ').at(-1) ?? ''))

/** Answers a call of control; `undefined` when this node has nothing under its path. */
export function answerControlCall(call: ControlCall, sources: CallSources): CallAnswer | undefined {
  const handler = HANDLERS.get(`${call.method} ${call.path}`) ?? HANDLERS.get(call.path)
  if (handler) return handler(sources, call)
  return PATHS.has(call.path) ? { status: 405, body: 'bad method\n' } : undefined
}

/** Returns a JSON answer. */
export function json(value: unknown): CallAnswer {
  return { status: 200, type: 'application/json', body: `${JSON.stringify(value)}\n` }
}

function tlsCertificate(_: CallSources, { query }: ControlCall): CallAnswer {
  if (!/(?:^|&)domain=[^&]/.test(query)) return { status: 400, body: 'no domain\n' }
  return json({ Missing: true, Error: 'this client keeps no certificates' })
}

function describeMap(map: NetworkMap): object {
  const { self, peers, dns, derpMap, domain, packetFilter, userProfiles, sshPolicy, messages } = map
  return {
    SelfNode: self.source,
    NodeKey: self.source.Key,
    Peers: peers.map(({ source }) => source),
    Domain: domain,
    DNS: dns,
    DERPMap: derpMap ?? null,
    PacketFilterRules: packetFilter,
    SSHPolicy: sshPolicy ?? null,
    UserProfiles: Object.fromEntries(userProfiles),
    DisplayMessages: Object.fromEntries(messages),
  }
}

function formatMetrics({ Peer, Health, Drops, BackendState }: Omit<Status, 'Version'>): string {
  const peers = Object.values(Peer ?? {})
  const datagrams = { directTx: 0, directRx: 0, peerRelayTx: 0, peerRelayRx: 0, relayTx: 0, relayRx: 0 }
  for (const { Paths } of peers)
    for (const way of Object.keys(datagrams) as (keyof typeof datagrams)[])
      datagrams[way] += Paths?.[way] ?? 0
  const lines = [
    ...gauge('mesh_running', [['', BackendState === 'Running' ? 1 : 0]]),
    ...gauge('mesh_peers', [['', peers.length]]),
    ...gauge('mesh_peers_active', [['', peers.filter(({ Active }) => Active).length]]),
    ...gauge('mesh_health_messages', [['', Health.length]]),
    // Of the peers there are: what came of one that is gone is gone with it, so it is no counter.
    ...gauge(
      'mesh_peer_datagrams',
      Object.entries(datagrams).map(([way, count]) => [`{way="${way}"}`, count]),
    ),
    ...dropLines(Drops),
  ]
  return `${lines.join('\n')}\n`
}

function dropLines(drops: Status['Drops']): readonly string[] {
  const values = Object.entries(drops ?? {}).flatMap(([by, reasons]) =>
    Object.entries(reasons).map(([reason, count]): [string, number] => [
      `{by="${by.toLowerCase()}",reason="${reason}"}`,
      count as number,
    ]),
  )
  return values.length === 0 ? [] : metric('mesh_dropped_packets_total', 'counter', values)
}

function gauge(name: string, values: readonly (readonly [string, number])[]): readonly string[] {
  return metric(name, 'gauge', values)
}

function metric(
  name: string,
  kind: 'gauge' | 'counter',
  values: readonly (readonly [labels: string, value: number])[],
): readonly string[] {
  return [`# TYPE ${name} ${kind}`, ...values.map(([labels, value]) => `${name}${labels} ${value}`)]
}
