// Who may use the relay, as somebody else says: the daemon on this machine, or an admission server
// (data-plane §2.11).
import { request } from 'node:http'
import { formatNodeKey } from '@mesh/keys'
import type { Admission } from '@mesh/derp-server/node'
import type { Settings } from './settings.ts'

/** How long either may take to answer. */
const TIMEOUT = 5_000

/** How much of an admission server's answer is read. */
const MAX_ANSWER = 4_096

type Judge = (client: Admission) => Promise<boolean>

/** Returns the judge that the settings ask for, or `undefined` when everybody is welcome. */
export function admissionOf(settings: Settings): Judge | undefined {
  const judges: Judge[] = []
  if (settings.verifyClients) judges.push((client) => askDaemon(settings.socket, client))
  const url = settings.verifyClientUrl
  if (url !== undefined) judges.push((client) => askUrl(url, settings.verifyClientUrlFailOpen, client))
  if (judges.length === 0) return undefined
  return async (client) => (await Promise.all(judges.map((judge) => judge(client)))).every(Boolean)
}

/** Asks the daemon whether it knows the key: 200 is yes, everything else no. */
function askDaemon(socketPath: string, { nodeKey }: Admission): Promise<boolean> {
  const path = `/localapi/v0/whois?addr=${formatNodeKey(nodeKey)}`
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(TIMEOUT)
    const asked = request(
      { socketPath, path, signal, headers: { Host: 'local-tailscaled.sock' } },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode === 200)
      },
    )
    asked.on('error', () => resolve(false))
    asked.end()
  })
}

/** Asks an admission server; a server that cannot be reached says what `failOpen` says. */
async function askUrl(url: string, failOpen: boolean, { nodeKey, source }: Admission): Promise<boolean> {
  let answer: Response
  try {
    answer = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ NodePublic: formatNodeKey(nodeKey), Source: source }),
      signal: AbortSignal.timeout(TIMEOUT),
      redirect: 'error',
    })
  } catch {
    return failOpen
  }
  if (answer.status !== 200) return false
  return allows(await readBounded(answer))
}

async function readBounded(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of answer.body ?? []) {
    const bytes = chunk as Uint8Array
    length += bytes.length
    if (length > MAX_ANSWER) return ''
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function allows(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'Allow' in value && value.Allow === true
  } catch {
    return false
  }
}
