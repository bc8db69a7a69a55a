// What a request asks for, taken apart by hand: a stranger may send what no URL parser takes, and must not make one throw.

/** A request's target. */
export interface RequestTarget {
  /** The path, as it was sent. */
  readonly path: string
  /** What follows the `?`. */
  readonly query: URLSearchParams
}

/** Takes a target in origin or absolute form apart; anything else is taken for a path. */
export function requestTarget(target: string): RequestTarget {
  const [, path = '', query = ''] = /^(?:https?:\/\/[^/?#]*)?([^?#]*)\??([^#]*)/i.exec(target) ?? []
  return { path, query: new URLSearchParams(query) }
}
