// One relay, as it is written behind `--relay`.

import type { RelayEntry } from '@mesh/control-server'
import { InvalidArgumentError } from 'commander'

/** The UDP port of STUN. */
const STUN_PORT = 3478

/** Reads `https://relay.example[:443][,stun=3478|off][,insecure][,cert=sha256-raw:HEX]`. */
export function readRelay(text: string): RelayEntry {
  const [address = '', ...settings] = text.split(',')
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.pathname !== '/') {
    throw new InvalidArgumentError('Write it as https://relay.example or http://127.0.0.1:3340,stun=3478.')
  }
  const plain = url.protocol === 'http:'
  const port = url.port === '' ? (plain ? 80 : 443) : Number(url.port)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const entry = { host, port, stunPort: STUN_PORT, ...(plain ? { insecure: true } : {}) }
  return settings.reduce(withSetting, entry)
}

function withSetting(entry: RelayEntry, setting: string): RelayEntry {
  const [name, value = ''] = setting.split('=', 2)
  if (name === 'stun' && value === 'off') return { ...entry, stunPort: -1 }
  if (name === 'stun' && /^\d+$/.test(value) && Number(value) < 65_536)
    return { ...entry, stunPort: Number(value) }
  if (name === 'insecure' && value === '') return { ...entry, insecure: true }
  if (name === 'cert' && /^sha256-raw:[0-9a-f]{64}$/.test(value)) return { ...entry, certName: value }
  throw new InvalidArgumentError(
    `It knows stun=PORT, stun=off, insecure and cert=sha256-raw:HEX, not "${setting}".`,
  )
}
