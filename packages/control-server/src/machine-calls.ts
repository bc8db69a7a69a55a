// The small calls a machine makes beside registering and following its map (control §3.10). Each that names a node is
// answered only to that node's machine (control §9.7.1). What this server cannot do it says in a sentence, because
// clients show it to whoever asked.

import { parseNodeKey } from '@mesh/keys'
import { ControlError, NODE_NOT_FOUND } from './errors.ts'
import type { NodeRecord } from './records.ts'

/** A call, as HTTP brought it. */
export interface MachineCall {
  /** The method. */
  readonly method: string
  /** The path, without a query. */
  readonly path: string
  /** The body as parsed JSON, or `undefined` when it is none. */
  readonly body: unknown
}

/** What to answer: a JSON document, or a sentence. */
export type MachineAnswer =
  | { readonly status: 200; readonly json: object }
  | { readonly status: 200 | 400 | 403 | 404 | 429 | 501; readonly text: string }

/** What a call is answered from. */
export interface MachineCallContext {
  /** Returns the calling machine's node with this key, or `undefined` when it has none. */
  readonly nodeByKey: (nodeKey: string) => NodeRecord | undefined
  /** Tells whether a node takes part in the network: it is approved, and its login has not ended. */
  readonly takesPart: (node: NodeRecord) => boolean
  /** Tells whether a node may have something noted now, and counts it. */
  readonly mayNote: (node: NodeRecord) => boolean
  /** Tells whether a node may publish a text now, and counts it: notes of other kinds must not stand in its way. */
  readonly mayPublish: (node: NodeRecord) => boolean
  /** Logs what a client says of its node: a short text, without control characters. */
  readonly log: (node: NodeRecord, text: string) => void
  /** Adds to the audit log what a client wants there. Resolves when it is stored. */
  readonly audit: (node: NodeRecord, report: Readonly<Record<string, string>>) => Promise<void>
  /** Publishes a text of a node in the DNS; `undefined` when nodes have no certificates. Rejects with `ControlError`. */
  readonly publish: ((node: NodeRecord, name: string, value: string) => Promise<void>) | undefined
  /** Takes what a machine says of its device. Rejects with `ControlError`. */
  readonly setAttributes: (node: NodeRecord, update: unknown) => Promise<void>
  /** Returns a token by which a node shows an audience who it is. */
  readonly idToken: (node: NodeRecord, audience: string) => Promise<string>
  /** Returns the sentence that says who is calling. */
  readonly whoIs: () => string
}

type Fields = ReadonlyMap<string, unknown>
type Answerer = (
  fields: Fields,
  node: NodeRecord,
  context: MachineCallContext,
) => MachineAnswer | Promise<MachineAnswer>

/** The longest text noted for a client. */
const MAX_NOTE = 512
/** What a client is told in its own words, not as a failure of this server. */
const REFUSALS: ReadonlySet<string> = new Set(['ERR_CONTROL_CHALLENGE', 'ERR_CONTROL_ATTRIBUTE'])
const TOO_MANY = { status: 429, text: 'too much of this node: try again in a minute' } as const
const NOT_IN = { status: 403, text: 'this node does not take part in the network' } as const

const CALLS: ReadonlyMap<string, Answerer> = new Map<string, Answerer>([
  ['POST /machine/set-dns', setDns],
  ['POST /machine/id-token', giveIdToken],
  ['PATCH /machine/set-device-attr', setAttributes],
  ['POST /machine/feature/query', queryFeature],
  ['POST /machine/audit-log', takeAuditLog],
  ['POST /machine/update-health', takeHealth],
])

/** Answers one call of a machine. Rejects when what it changes cannot be stored. */
export async function answerMachineCall(
  call: MachineCall,
  context: MachineCallContext,
): Promise<MachineAnswer> {
  if (call.method === 'GET' && call.path === '/machine/whoami') return { status: 200, text: context.whoIs() }
  const answer = CALLS.get(`${call.method} ${call.path}`)
  if (!answer && !call.path.startsWith('/machine/')) return { status: 404, text: 'not found' }
  if (!answer) return { status: 501, text: 'not implemented' }
  if (typeof call.body !== 'object' || call.body === null) return { status: 400, text: 'bad request' }
  const fields: Fields = new Map(Object.entries(call.body))
  const nodeKey = fields.get('NodeKey')
  const node = typeof nodeKey === 'string' && parseNodeKey(nodeKey) ? context.nodeByKey(nodeKey) : undefined
  if (!node) return { status: 404, text: NODE_NOT_FOUND }
  try {
    return await answer(fields, node, context)
  } catch (error) {
    if (error instanceof ControlError && REFUSALS.has(error.code)) return { status: 400, text: error.message }
    throw error
  }
}

/** The client tells the authority to look as soon as it has its answer (control §3.10). */
async function setDns(
  fields: Fields,
  node: NodeRecord,
  { publish, takesPart, mayPublish }: MachineCallContext,
): Promise<MachineAnswer> {
  if (!publish) return cannot('This control server publishes no DNS records, so there are no certificates.')
  const [name, type, value] = ['Name', 'Type', 'Value'].map((field) => fields.get(field))
  if (typeof name !== 'string' || typeof value !== 'string' || type !== 'TXT')
    return { status: 400, text: 'only TXT records are published, with a name and a value' }
  if (!takesPart(node)) return NOT_IN
  if (!mayPublish(node)) return TOO_MANY
  await publish(node, name, value)
  return { status: 200, json: {} }
}

async function giveIdToken(
  fields: Fields,
  node: NodeRecord,
  { idToken, takesPart }: MachineCallContext,
): Promise<MachineAnswer> {
  const audience = fields.get('Audience')
  if (typeof audience !== 'string' || audience === '' || audience.length > MAX_NOTE)
    return { status: 400, text: 'say for which audience the token is' }
  if (!takesPart(node)) return NOT_IN
  return { status: 200, json: { id_token: await idToken(node, audience) } }
}

async function setAttributes(
  fields: Fields,
  node: NodeRecord,
  context: MachineCallContext,
): Promise<MachineAnswer> {
  if (!context.mayNote(node)) return TOO_MANY
  await context.setAttributes(node, fields.get('Update'))
  return { status: 200, json: {} }
}

/** `tailscale serve` and `tailscale funnel` print the text and end, instead of an error that explains nothing. */
function queryFeature(fields: Fields, _: NodeRecord, { publish }: MachineCallContext): MachineAnswer {
  const feature = fields.get('Feature')
  if (feature === 'serve' && publish) return { status: 200, json: { Complete: true } }
  const Text =
    feature === 'serve'
      ? 'This control server has no certificates for HTTPS: serve plain HTTP inside the mesh with --http=80.'
      : `This control server does not offer ${typeof feature === 'string' ? short(feature) : 'that'}.`
  return { status: 200, json: { Complete: false, Text, ShouldWait: false } }
}

/** Clients keep what was not taken, and come again after a 429 (control §3.10). */
async function takeAuditLog(
  fields: Fields,
  node: NodeRecord,
  context: MachineCallContext,
): Promise<MachineAnswer> {
  if (!context.mayNote(node)) return TOO_MANY
  const report = { did: short(fields.get('Action')), details: short(fields.get('Details')) }
  await context.audit(node, report)
  return { status: 200, json: {} }
}

function takeHealth(fields: Fields, node: NodeRecord, context: MachineCallContext): MachineAnswer {
  if (context.mayNote(node))
    context.log(node, `${short(fields.get('Subsys'))}: ${short(fields.get('Error'))}`)
  return { status: 200, json: {} }
}

function cannot(text: string): MachineAnswer {
  return { status: 501, text }
}

function short(value: unknown): string {
  if (typeof value !== 'string') return ''
  return value.slice(0, MAX_NOTE).replace(/[\p{Cc}\p{Bidi_Control}]/gu, ' ')
}
