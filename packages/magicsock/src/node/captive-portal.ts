// Is there a captive portal? Relays that answer on port 80 are asked for nothing, with a challenge; whoever answers
// otherwise stands in between (data-plane.md section 3.5).
import { request } from 'node:http'
import { formatAddress, type IpAddress } from '@mesh/wire/ip'

/** A relay that answers `/generate_204` over plain HTTP. */
export interface PortalProbe {
  /** Where it is: an address, for names may be answered by the portal too. */
  readonly address: IpAddress
  /** Its host name, which the challenge is made of. */
  readonly hostName: string
  /** Its port; 80 when absent. */
  readonly port?: number
}

/** How long the looking takes at most. */
export const CAPTIVE_PORTAL_TIMEOUT = 3_000
const MAX_PROBES = 5
/** What a challenge may be made of: letters, digits, `.`, `-` and `_`. */
const NOT_IN_CHALLENGE = /[^A-Za-z0-9._-]/g

/**
 * Asks up to five relays at once.
 *
 * @returns Whether any answer came from somebody else; `undefined` when there was no answer at all. Redirects are not
 * followed.
 */
export async function detectCaptivePortal(probes: readonly PortalProbe[]): Promise<boolean | undefined> {
  const answers = await Promise.all(probes.slice(0, MAX_PROBES).map(isIntercepted))
  const known = answers.filter((answer) => answer !== undefined)
  return known.length === 0 ? undefined : known.includes(true)
}

function isIntercepted({ address, hostName, port = 80 }: PortalProbe): Promise<boolean | undefined> {
  const challenge = `ts_${hostName.replace(NOT_IN_CHALLENGE, '')}`
  return new Promise((resolve) => {
    const asking = request(
      {
        host: formatAddress(address),
        port,
        path: `/generate_204?t=${Math.floor(Date.now() / 1_000)}`,
        headers: { 'X-Tailscale-Challenge': challenge, Connection: 'close' },
        agent: false,
        signal: AbortSignal.timeout(CAPTIVE_PORTAL_TIMEOUT),
      },
      (response) => {
        const isRelay = response.headers['x-tailscale-response'] === `response ${challenge}`
        resolve(response.statusCode !== 204 || !isRelay)
        response.destroy()
      },
    )
    asking.on('error', () => resolve(undefined))
    asking.end()
  })
}
