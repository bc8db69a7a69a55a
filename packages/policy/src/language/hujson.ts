// HuJSON as a policy is written in it: JSON with comments and trailing commas. What is read keeps its places, so that an
// error can name a line. The text is a stranger's: it may be long, deep, or name its fields `__proto__`.
import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { PolicyError } from '../errors.ts'

/** The longest policy taken, in UTF-16 units. */
export const MAX_POLICY_LENGTH = 4 << 20
/** How deep values may lie inside each other. */
const MAX_DEPTH = 32

/** Kinds of tokens, as the scanner numbers them. */
const OPENING: ReadonlySet<number> = new Set([1, 3])
const CLOSING: ReadonlySet<number> = new Set([2, 4])
const END = 17

/** A value with its place in the text. */
export type Json = Node

/** A text that was read. */
export class HuJson {
  /** The value. */
  readonly root: Json
  readonly #text: string

  /** @throws PolicyError `ERR_POLICY_SYNTAX` with the line where it is no HuJSON. */
  constructor(text: string) {
    this.#text = text
    if (text.length > MAX_POLICY_LENGTH) throw this.error('the policy is too long')
    this.#checkDepth()
    const errors: ParseError[] = []
    const root = parseTree(text, errors, { allowTrailingComma: true })
    const [first] = errors
    if (first)
      throw this.error(`this is not HuJSON: ${wordsOf(printParseErrorCode(first.error))}`, first.offset)
    if (!root) throw this.error('the policy is empty')
    this.root = root
  }

  /** Returns an error about a place. */
  error(message: string, at?: Json | number): PolicyError {
    const offset = typeof at === 'number' ? at : at?.offset
    const line = offset === undefined ? undefined : this.#text.slice(0, offset).split('\n').length
    return new PolicyError('ERR_POLICY_SYNTAX', line === undefined ? message : `line ${line}: ${message}`, {
      ...(line === undefined ? {} : { line }),
    })
  }

  /** The parser goes down by recursion, so a text that is too deep must not reach it. */
  #checkDepth(): void {
    const scanner = createScanner(this.#text, true)
    let depth = 0
    for (let token: number = scanner.scan(); token !== END; token = scanner.scan()) {
      if (OPENING.has(token)) depth += 1
      if (CLOSING.has(token)) depth -= 1
      if (depth > MAX_DEPTH) throw this.error('values lie too deep in each other', scanner.getTokenOffset())
    }
  }
}

/** `CommaExpected` as words. */
function wordsOf(code: string): string {
  return code.replace(/(?!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()
}
