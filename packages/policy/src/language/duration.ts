// Lengths of time as policies write them: the way Go does (control §7.8).

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** Returns milliseconds, or `undefined` when it is no length of time: `90m`, `1h30m`, `-5s`. */
export function parseDuration(text: string): number | undefined {
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? []
  if (rest === '0') return 0
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/gy
  let total = 0
  let end = 0
  for (let match = part.exec(rest); match; match = part.exec(rest)) {
    total += Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN)
    end = part.lastIndex
  }
  if (end === 0 || end !== rest.length) return undefined
  return sign === '-' ? -total : total
}

/** Writes milliseconds in hours, minutes and seconds: `168h0m1s`, `-1m0s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.abs(milliseconds) / 1000
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const sign = milliseconds < 0 ? '-' : ''
  const tail = `${seconds % 60}s`
  if (hours > 0) return `${sign}${hours}h${minutes}m${tail}`
  return minutes > 0 ? `${sign}${minutes}m${tail}` : `${sign}${tail}`
}
