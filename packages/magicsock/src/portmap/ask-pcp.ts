// A mapping by PCP.
import { constantTimeEqual } from '@mesh/keys'
import { RESPONSE_WAIT } from './ask-nat-pmp.ts'
import { answerUntil, type Dialogue, type Setting } from './dialogue.ts'
import {
  believedLifetime,
  isUsableExternal,
  MAPPING_LIFETIME,
  MIN_LIFETIME,
  type PortMapping,
} from './mapping.ts'
import { NAT_PMP_PORT } from './nat-pmp.ts'
import { encodePcpMapRequest, PCP_RESULT_OK } from './pcp.ts'

const TRIES = 2
const ANY_ADDRESS = new Uint8Array(4)

/** Asks for a mapping. An answer without our nonce is not ours. */
export function* askPcp(setting: Setting): Dialogue<PortMapping | undefined> {
  const { gateway, nonce, port, previous } = setting
  const request = encodePcpMapRequest({
    client: gateway.self,
    nonce,
    internalPort: port,
    externalPort: previous?.external.port ?? 0,
    externalAddress: previous?.external.address ?? ANY_ADDRESS,
    lifetime: MAPPING_LIFETIME,
  })
  for (let tries = 0; tries < TRIES; tries += 1) {
    setting.send({ address: gateway.address, port: NAT_PMP_PORT }, request)
    const answer = yield* answerUntil(setting, setting.now() + RESPONSE_WAIT * 2 ** tries, (happening) => {
      if (happening.kind !== 'pcp' || happening.response.kind !== 'map') return undefined
      const { response } = happening
      return constantTimeEqual(response.nonce, nonce) && response.internalPort === port ? response : undefined
    })
    if (answer === undefined) continue
    const { externalAddress: address, externalPort, lifetime, result } = answer
    if (result !== PCP_RESULT_OK || address === undefined || !isUsableExternal(address)) return undefined
    if (externalPort === 0 || lifetime < MIN_LIFETIME) return undefined
    const expiresAt = setting.now() + believedLifetime(lifetime)
    return { service: 'pcp', external: { address, port: externalPort }, expiresAt }
  }
  return undefined
}
