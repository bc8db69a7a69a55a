// The file that `--config` names: YAML, or JSON with comments and trailing commas (HuJSON). Every complaint says in which
// line.

import { readFileSync } from 'node:fs'
import { reasonOf, systemCodeOf } from '@mesh/sansio/node'
import { stripComments } from 'jsonc-parser'
import { isMap, isScalar, isSeq, LineCounter, type Pair, parseDocument, type ParsedNode } from 'yaml'
import { CommandError } from './command-error.ts'

/** Read when no file is named and this one is there. */
export const DEFAULT_FILE = '/etc/mesh-control.yaml'

/** One setting in a file. */
export interface Entry {
  readonly key: string
  /** `FILE:LINE` of the key. */
  readonly where: string
  /** What it says, each text with its line; nothing when it is no text, truth or number, and no list or map of such. */
  readonly values: readonly { readonly text: string; readonly where: string }[] | undefined
}

/** What a file says. */
export interface FileContents {
  readonly entries: readonly Entry[]
  /** What cannot be read of it, each a sentence that begins with `FILE:LINE: `. */
  readonly complaints: readonly string[]
}

/** Reads a file. Throws {@link CommandError} when there is none, but for the one that nobody named. */
export function readSettingsFile(path: string | undefined): FileContents {
  const text = readText(path)
  return text === undefined ? { entries: [], complaints: [] } : parseSettings(text, path ?? DEFAULT_FILE)
}

/** Reads the text of a file. */
export function parseSettings(text: string, path: string): FileContents {
  const lines = new LineCounter()
  const at = (offset: number): string => `${path}:${lines.linePos(offset).line}`
  // JSON is YAML but for its comments, in the place of which blanks keep every offset.
  const yaml = /^\s*(\{|\/[/*])/.test(text) ? stripComments(text, ' ') : text
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false })
  const complaints = document.errors.map(
    ({ pos, message }) => `${at(pos[0])}: ${(message.split('\n')[0] ?? '').replace(/\.$/, '')}.`,
  )
  if (document.contents === null || complaints.length > 0) return { entries: [], complaints }
  if (!isMap(document.contents))
    return { entries: [], complaints: [`${at(0)}: The file must hold keys and values.`] }
  return { entries: document.contents.items.map((pair) => entryOf(pair, at)), complaints }
}

function readText(path: string | undefined): string | undefined {
  try {
    return readFileSync(path ?? DEFAULT_FILE, 'utf8')
  } catch (cause) {
    if (path === undefined && systemCodeOf(cause) === 'ENOENT') return undefined
    throw new CommandError(`The config file ${path ?? DEFAULT_FILE} cannot be read: ${reasonOf(cause)}.`, {
      cause,
    })
  }
}

function entryOf({ key, value }: Pair<ParsedNode, ParsedNode | null>, at: (offset: number) => string): Entry {
  const name = isScalar(key) ? String(key.value) : ''
  return { key: name, where: at(key.range[0]), values: textsOf(value, at) }
}

/** A map stands for the list of its pairs: `corp.example: 10.0.0.53` for `corp.example=10.0.0.53`. */
function textsOf(node: ParsedNode | null, at: (offset: number) => string): Entry['values'] {
  if (isScalar(node))
    return isWord(node.value) ? [{ text: String(node.value), where: at(node.range[0]) }] : undefined
  if (isSeq(node)) return together(node.items.map((item) => textsOf(item, at)))
  if (!isMap(node)) return undefined
  return together(
    node.items.map(({ key, value }) =>
      textsOf(value, at)?.map(({ text, where }) => ({ text: `${String(key)}=${text}`, where })),
    ),
  )
}

function together(parts: readonly Entry['values'][]): Entry['values'] {
  const known = parts.filter((part) => part !== undefined)
  return known.length === parts.length ? known.flat() : undefined
}

function isWord(value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}
