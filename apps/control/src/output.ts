// How answers are printed: for people, or as JSON or YAML for programs.

/** Formats for programs. */
export const FORMATS = ['json', 'json-line', 'yaml'] as const

/** A format for programs. */
export type Format = (typeof FORMATS)[number]

/** Flags that say how to print. */
export interface OutputFlags {
  readonly json?: boolean
  readonly output?: Format
}

/** Returns the format that is asked for; nothing when people read. */
export function formatOf({ json, output }: OutputFlags): Format | undefined {
  return output ?? (json === true ? 'json' : undefined)
}

/** Returns a value in a format, without a line end. */
export async function inFormat(value: unknown, format: Format): Promise<string> {
  if (format === 'json') return JSON.stringify(value, undefined, 2)
  if (format === 'json-line') return JSON.stringify(value)
  const { stringify } = await import('yaml')
  return stringify(value).replace(/\n$/, '')
}

/** Prints an answer: `text` for people. */
export async function show(flags: OutputFlags, value: unknown, text: string): Promise<void> {
  const format = formatOf(flags)
  print(format === undefined ? text : await inFormat(value, format))
}

/** Prints a line or several. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Returns text with what would act on a terminal, or turn text around, written as an escape. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (mark) => `\\u${(mark.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  )
}
