// The rules of a node as JSON, cut where a long list stands. Such lists, all devices of a group say, are the same for all who
// have the rule, so their bytes are made once; what is between them is a viewer's own, and short.

import type { MapResponse } from '@mesh/wire/control'

/** Text, or a list that stands in the JSON at this place. */
export type Piece = string | readonly unknown[]

/** The fields in which long lists stand: who may send packets, who may log in. */
const LISTS: ReadonlySet<string> = new Set(['SrcIPs', 'principals'])
/** Lists of fewer items are not worth a piece. */
const LONG = 64

/** Returns a response as JSON in pieces; in one piece when it has no long list. */
export function jsonPieces({ PacketFilters, SSHPolicy, ...rest }: MapResponse): readonly Piece[] {
  const pieces = new Pieces()
  pieces.text(JSON.stringify(rest).slice(0, -1))
  const hasFields = Object.keys(rest).length > 0
  if (PacketFilters !== undefined) pieces.field('PacketFilters', PacketFilters, hasFields)
  if (SSHPolicy !== undefined) pieces.field('SSHPolicy', SSHPolicy, hasFields || PacketFilters !== undefined)
  pieces.text('}')
  return pieces.all()
}

/** JSON as it comes together. */
class Pieces {
  readonly #pieces: Piece[] = []
  #text = ''

  text(text: string): void {
    this.#text += text
  }

  field(name: string, value: unknown, isLater: boolean): void {
    this.#text += `${isLater ? ',' : ''}${JSON.stringify(name)}:`
    if (Array.isArray(value) && value.length >= LONG && LISTS.has(name)) this.#list(value)
    else this.#value(value)
  }

  all(): readonly Piece[] {
    if (this.#text !== '') this.#pieces.push(this.#text)
    return this.#pieces
  }

  #list(list: readonly unknown[]): void {
    this.#pieces.push(this.#text, list)
    this.#text = ''
  }

  #value(value: unknown): void {
    if (Array.isArray(value)) this.#items(value)
    else if (typeof value === 'object' && value !== null) this.#fields(value)
    else this.#text += JSON.stringify(value)
  }

  #items(items: readonly unknown[]): void {
    this.#text += '['
    for (const [i, item] of items.entries()) {
      if (i > 0) this.#text += ','
      this.#value(item)
    }
    this.#text += ']'
  }

  #fields(fields: object): void {
    this.#text += '{'
    let isLater = false
    for (const [name, value] of Object.entries(fields) as [string, unknown][]) {
      if (value === undefined) continue
      this.field(name, value, isLater)
      isLater = true
    }
    this.#text += '}'
  }
}
