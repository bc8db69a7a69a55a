// The small things a node asks of control beside its login and its map (control protocol §3.10): each is one request, and its
// answer goes to whoever asked.
import { parseJson } from '@mesh/wire/control'
import { ControlError } from './errors.ts'
import type { ControlOutput } from './output.ts'
import { refusal } from './request-table.ts'

/** What a node asks. */
export type ControlQuestion =
  /** A token by which it shows `audience` who it is. */
  | { readonly about: 'id-token'; readonly audience: string }
  /** That the DNS answers with a text at a name: the proof an ACME authority looks for. */
  | { readonly about: 'publish-text'; readonly name: string; readonly text: string }
  /** Whether it may use a feature: `serve`, `funnel`. */
  | { readonly about: 'feature'; readonly feature: string }
  /** That attributes of its device are kept; `null` takes one away. */
  | {
      readonly about: 'attributes'
      readonly update: Readonly<Record<string, string | number | boolean | null>>
    }
  /** That something its person did is in the audit log. */
  | { readonly about: 'audit'; readonly action: string; readonly details: string }

/** A question as a request. */
export interface QuestionRequest {
  /** The method, where it is not POST. */
  readonly method?: 'PATCH'
  /** The path. */
  readonly path: string
  /** The body, to be sent as JSON. */
  readonly body: object
}

/** Returns the request for a question, in the name of a node. */
export function questionRequest(
  question: ControlQuestion,
  NodeKey: string,
  Version: number,
): QuestionRequest {
  const post = (path: string, body: object): QuestionRequest => {
    return { path: `/machine/${path}`, body: { ...body, NodeKey } }
  }
  switch (question.about) {
    case 'id-token':
      return post('id-token', { CapVersion: Version, Audience: question.audience })
    case 'publish-text':
      return post('set-dns', { Version, Name: question.name, Type: 'TXT', Value: question.text })
    case 'feature':
      return post('feature/query', { Feature: question.feature })
    case 'attributes':
      return { ...post('set-device-attr', { Version, Update: question.update }), method: 'PATCH' }
    case 'audit':
      return post('audit-log', { Version, Action: question.action, Details: question.details })
  }
}

/** Returns what whoever asked is told: what control did not grant is his to hear, and no trouble of the connection. */
export function questionAnswer(
  id: number,
  answer: { readonly status: number; readonly body: Uint8Array },
  error: ControlError | undefined,
): ControlOutput {
  const refused = refusal(answer.status, answer.body, 'the question')
  const failure = error ?? (refused && new ControlError('ERR_CONTROL_REFUSED', refused.message))
  return failure
    ? { kind: 'answer', id, error: failure }
    : { kind: 'answer', id, value: parseJson(answer.body) }
}
