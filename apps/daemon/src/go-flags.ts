// Flags as the family's command line takes them, which is Go's way: with one dash or two (`-json`), and with `=true` or
// `=false` behind one that takes no value. The parser here knows neither, so they are put into its words first.
import type { Command, Option } from 'commander'

const TRUE = new Set(['true', 't', '1'])
const FALSE = new Set(['false', 'f', '0'])

/** Returns the words with every known flag written as `program` takes it. What follows `--` is left alone. */
export function plainFlags(words: readonly string[], program: Command): string[] {
  const known = new Map<string, Option>()
  for (const command of [program, ...program.commands])
    for (const option of command.options) known.set(option.long ?? option.short ?? '', option)
  const end = words.indexOf('--')
  return words.flatMap((word, at) => (end >= 0 && at >= end ? word : plainFlag(word, known)))
}

function plainFlag(word: string, known: ReadonlyMap<string, Option>): string | readonly string[] {
  const [, dashes = '', name = '', value] = /^(--?)([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? []
  // `-c3` and `-4` are short flags.
  if (dashes === '' || (dashes === '-' && name.length === 1 && value === undefined)) return word
  const flag = known.get(`--${name}`)
  const opposite = known.get(`--no-${name}`)
  const isSwitch = (flag ?? opposite)?.isBoolean() === true || opposite !== undefined
  if (value !== undefined && isSwitch) {
    if (TRUE.has(value)) return `--${name}`
    // Without an opposite it is off when it is not there.
    if (FALSE.has(value)) return opposite ? `--no-${name}` : []
  }
  if (flag) return `--${word.slice(dashes.length)}`
  return known.has(`-${name}`) ? `-${name}` : word
}
