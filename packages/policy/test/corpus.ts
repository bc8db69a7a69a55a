// The captured policies, as the compiler takes them.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { FilterRule, SSHPolicy } from '@mesh/wire/control'
import type { PolicyNode, PolicyUser } from '../src/index.ts'

interface CapturedNode {
  readonly packetFilterRules: readonly FilterRule[] | null
  readonly sshPolicy: SSHPolicy | null
  readonly self: { readonly CapMap: Readonly<Record<string, unknown>> }
  readonly peers: readonly { readonly ComputedName: string }[] | null
}

interface TopologyNode {
  readonly tags: readonly string[]
  readonly ipv4: string
  readonly ipv6: string
  readonly user?: string
  readonly approved_routes: readonly string[] | null
}

interface Line {
  readonly id: string
  readonly tailnet: string
  readonly policy: unknown
  readonly response: { readonly code: number; readonly body: { readonly message: string } | null }
  readonly topology: {
    readonly users: readonly PolicyUser[]
    readonly nodes: Readonly<Record<string, TopologyNode>>
  }
  readonly captures: Readonly<Record<string, CapturedNode>> | null
}

/** One policy, what it was about, and what came of it. */
export interface CorpusCase {
  readonly id: string
  readonly text: string
  /** The domain of the users. */
  readonly domain: string
  readonly users: readonly PolicyUser[]
  readonly nodes: readonly PolicyNode[]
  /** Why it was refused; `undefined` when it was taken. */
  readonly refusal: string | undefined
  /** What each node got, by its number. */
  readonly captures: ReadonlyMap<number, CapturedNode>
  /** The number of a node by its name. */
  readonly idOf: (name: string) => number
}

/** Reads all of them. */
export function readCorpus(): readonly CorpusCase[] {
  const file = new URL('vectors/policy-cases.jsonl.gz', import.meta.url)
  const lines = gunzipSync(readFileSync(file)).toString().trim().split('\n')
  return lines.map((line) => caseOf(JSON.parse(line) as Line))
}

function caseOf({ id, tailnet, policy, response, topology, captures }: Line): CorpusCase {
  const names = Object.keys(topology.nodes)
  const idOf = (name: string): number => names.indexOf(name) + 1
  const nodes = Object.entries(topology.nodes).map(([name, node]) => ({
    id: idOf(name),
    user: topology.users.find((user) => user.name === node.user)?.id,
    tags: node.tags,
    addresses: [node.ipv4, node.ipv6],
    routes: node.approved_routes ?? [],
  }))
  return {
    id,
    text: typeof policy === 'string' ? policy : JSON.stringify(policy),
    domain: tailnet.split('@')[1] ?? tailnet,
    users: topology.users,
    nodes,
    refusal: response.code === 200 ? undefined : (response.body?.message ?? ''),
    captures: new Map(Object.entries(captures ?? {}).map(([name, capture]) => [idOf(name), capture])),
    idOf,
  }
}
