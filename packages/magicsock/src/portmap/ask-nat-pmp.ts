// A mapping by NAT-PMP.
import type { IpAddress } from '@mesh/wire/ip'
import { answerUntil, type Dialogue, type Setting } from './dialogue.ts'
import {
  believedLifetime,
  isUsableExternal,
  MAPPING_LIFETIME,
  MIN_LIFETIME,
  type PortMapping,
} from './mapping.ts'
import { encodePmpAddressRequest, encodePmpMapRequest, NAT_PMP_PORT } from './nat-pmp.ts'

/** The first answer may take this long, the next twice as long (RFC 6886 section 3.1). */
export const RESPONSE_WAIT = 250
const TRIES = 2

/** Asks for a mapping; `external` is what the gateway has said of its outside address just now. */
export function* askNatPmp(
  setting: Setting,
  external: IpAddress | undefined,
): Dialogue<PortMapping | undefined> {
  const address = external ?? (yield* askAddress(setting))
  if (address === undefined || !isUsableExternal(address)) return undefined
  const suggested = setting.previous?.external.port ?? 0
  const answer = yield* ask(setting, encodePmpMapRequest(setting.port, suggested, MAPPING_LIFETIME), 'map')
  if (answer?.kind !== 'map' || answer.result !== 0) return undefined
  if (answer.externalPort === 0 || answer.lifetime < MIN_LIFETIME) return undefined
  return {
    service: 'nat-pmp',
    external: { address, port: answer.externalPort },
    expiresAt: setting.now() + believedLifetime(answer.lifetime),
  }
}

function* askAddress(setting: Setting): Dialogue<IpAddress | undefined> {
  const answer = yield* ask(setting, encodePmpAddressRequest(), 'address')
  return answer?.kind === 'address' && answer.result === 0 ? answer.address : undefined
}

function* ask(setting: Setting, request: Uint8Array, kind: 'address' | 'map') {
  const to = { address: setting.gateway.address, port: NAT_PMP_PORT }
  for (let tries = 0; tries < TRIES; tries += 1) {
    setting.send(to, request)
    const answer = yield* answerUntil(setting, setting.now() + RESPONSE_WAIT * 2 ** tries, (happening) => {
      if (happening.kind !== 'nat-pmp' || happening.response.kind !== kind) return undefined
      const { response } = happening
      // An answer about somebody else's port is not ours.
      return response.kind === 'map' && response.internalPort !== setting.port ? undefined : response
    })
    if (answer !== undefined) return answer
  }
  return undefined
}
