// The small things a node asks of control beside its login and its map (control protocol §3.10): each is one request, and its
// answer goes to whoever asked.

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
  /** The method. */
  readonly method: 'POST' | 'PATCH'
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
    return { method: 'POST', path: `/machine/${path}`, body: { ...body, NodeKey } }
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
