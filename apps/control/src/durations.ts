// Lengths of time as people write them on a command line.

import { InvalidArgumentError } from 'commander'

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** A thousand years, milliseconds. */
const LONGEST = 1000 * 365 * 86_400_000

/** Reads `90s`, `15m`, `1h`, `30d`, `2w` or a sum such as `1h30m` as milliseconds. `0` is no time at all. */
export function parseDuration(text: string): number {
  if (text === '0') return 0
  if (!/^(\d+[smhdw])+$/.test(text)) throw new InvalidArgumentError('Write it as 90s, 15m, 1h, 30d or 2w.')
  const parts = text.match(/\d+[smhdw]/g) ?? []
  const sum = parts.reduce((all, part) => all + Number(part.slice(0, -1)) * (UNITS[part.slice(-1)] ?? 0), 0)
  if (sum <= LONGEST) return sum
  throw new InvalidArgumentError('That is longer than a thousand years.')
}
