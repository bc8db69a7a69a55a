// The file that `--config` names: YAML, or JSON, which is YAML too. Its keys are the flags without dashes; lists may be
// lists. Each complaint says in which line.
import { readFileSync } from 'node:fs'
import { reasonOf } from '@mesh/sansio/node'
import { type Command, InvalidArgumentError, type Option } from 'commander'
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type ParsedNode } from 'yaml'
import { Failure, USAGE } from './failure.ts'

/** Flags that make no sense in a file. */
const NOT_IN_FILES = new Set(['--config', '--configtest', '--version', '--help'])

/**
 * Sets each option that the file has and the command line has not.
 *
 * @throws Failure with exit code 2 when the file cannot be read or holds what no flag takes.
 */
export function applySettingsFile(path: string, command: Command): void {
  const lines = new LineCounter()
  const document = parseDocument(readText(path), { lineCounter: lines, prettyErrors: false })
  const fail = (at: number, what: string): never => {
    throw new Failure(`${path}:${lines.linePos(at).line}: ${what}.`, USAGE)
  }
  const [error] = document.errors
  if (error !== undefined) fail(error.pos[0], error.message.split('\n')[0]!.replace(/\.$/, ''))
  if (document.contents === null) return
  if (!isMap(document.contents)) return fail(0, 'the file must hold keys and values')
  for (const pair of document.contents.items) {
    const [at] = pair.key.range
    const key = isScalar(pair.key) ? String(pair.key.value) : ''
    const option = optionFor(key, command) ?? fail(at, `there is no setting ${JSON.stringify(key)}`)
    const value = textOf(pair.value) ?? fail(at, `${key} has no value that a flag could have`)
    const read = readValue(option, value)
    if ('complaint' in read) fail(pair.value?.range[0] ?? at, `${key}: ${read.complaint.replace(/\.$/, '')}`)
    else if (command.getOptionValueSource(option.attributeName()) !== 'cli')
      command.setOptionValueWithSource(option.attributeName(), read.value, 'config')
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Failure(`The config file ${path} cannot be read: ${reasonOf(cause)}.`, USAGE, { cause })
  }
}

function optionFor(key: string, command: Command): Option | undefined {
  const long = `--${key}`
  return NOT_IN_FILES.has(long) ? undefined : command.options.find((option) => option.long === long)
}

// As one would write it behind the flag.
function textOf(value: ParsedNode | null): string | undefined {
  if (isScalar(value)) return wordOf(value.value)
  if (!isSeq(value)) return undefined
  const items = value.items.map((item) => textOf(item))
  return items.includes(undefined) ? undefined : items.join(',')
}

function wordOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined
}

function readValue(option: Option, text: string): { value: unknown } | { complaint: string } {
  try {
    return { value: option.parseArg === undefined ? text : option.parseArg(text, undefined as never) }
  } catch (error) {
    if (error instanceof InvalidArgumentError) return { complaint: error.message }
    throw error
  }
}
