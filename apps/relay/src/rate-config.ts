// The file that says how much one client may send, in derper's words; read at the start and on SIGHUP.
import { readFileSync } from 'node:fs'
import type { ReceiveLimit } from '@mesh/derp-server'
import { reasonOf } from '@mesh/sansio/node'
import { Failure } from './failure.ts'
import type { Settings } from './settings.ts'

/**
 * Returns the limit that `--rate-config` says, or `undefined` when there is none.
 *
 * @throws Failure when the file cannot be read or makes no sense.
 */
export function receiveLimitOf({ rateConfig }: Settings): ReceiveLimit | undefined {
  if (rateConfig === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(readFileSync(rateConfig, 'utf8'))
  } catch (cause) {
    throw new Failure(`The rate file ${rateConfig} cannot be used: ${reasonOf(cause)}.`, undefined, { cause })
  }
  const bytesPerSecond = numberIn(value, 'PerClientRateLimitBytesPerSec', rateConfig)
  const burst = numberIn(value, 'PerClientRateBurstBytes', rateConfig)
  return bytesPerSecond === 0 ? undefined : { bytesPerSecond, burst }
}

function numberIn(value: unknown, name: string, path: string): number {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Failure(`The rate file ${path} must hold a JSON object.`)
  const number: unknown = Reflect.get(value, name) ?? 0
  if (typeof number !== 'number' || !Number.isFinite(number) || number < 0)
    throw new Failure(`${name} in the rate file ${path} must be a number of bytes.`)
  return number
}
