// What does the gateway speak? All three services are asked at once, and whoever answers first gives the others a
// moment more (data-plane.md section 6.2).
import type { Dialogue, Setting } from './dialogue.ts'
import { encodePmpAddressRequest, NAT_PMP_PORT } from './nat-pmp.ts'
import { encodePcpAnnounce, PCP_RESULT_OK } from './pcp.ts'
import type { IpAddress } from '@mesh/wire/ip'
import { ssdpQuestions, type UpnpDevice } from './ssdp.ts'

/** How long a gateway has to answer: UPnP devices may take the two seconds that the question gives them. */
export const PROBE_TIMEOUT = 2_250
/** How long the others have after the first. */
export const PROBE_GRACE = 50
/** More devices than this on one gateway are not looked at. */
const MAX_DEVICES = 8

/** What a gateway speaks. */
export interface Discovered {
  natPmp: boolean
  /** What NAT-PMP says the outside address is. */
  external: IpAddress | undefined
  pcp: boolean
  readonly devices: UpnpDevice[]
}

/** Asks what the gateway speaks. */
export function* discover(setting: Setting): Dialogue<Discovered> {
  const { gateway } = setting
  const began = setting.now()
  const to = { address: gateway.address, port: NAT_PMP_PORT }
  setting.send(to, encodePmpAddressRequest())
  setting.send(to, encodePcpAnnounce(gateway.self))
  for (const question of ssdpQuestions(gateway.address)) setting.send(question.to, question.bytes)
  const found: Discovered = { natPmp: false, external: undefined, pcp: false, devices: [] }
  let until = began + PROBE_TIMEOUT
  while (setting.now() < until && !(found.natPmp && found.pcp && found.devices.length > 0)) {
    const happening = yield { kind: 'answer', until }
    if (happening.kind === 'nat-pmp' && happening.response.kind === 'address') {
      // A no after a yes is for PCP: a gateway of the older protocol refuses its version in the same words (RFC 6886
      // section 3.5).
      if (happening.response.result === 0) found.external = happening.response.address
      found.natPmp = found.external !== undefined
    } else if (happening.kind === 'pcp') {
      found.pcp = happening.response.result === PCP_RESULT_OK
    } else if (happening.kind === 'upnp') {
      addDevice(found.devices, happening.device)
    } else {
      continue
    }
    // A no is no reason to hurry the others.
    if (!found.natPmp && !found.pcp && found.devices.length === 0) continue
    until = Math.min(until, Math.max(began + PROBE_GRACE, setting.now() + PROBE_GRACE))
  }
  return found
}

/** The same device answers once for every service it has. Higher names first: version 2 before version 1. */
function addDevice(devices: UpnpDevice[], device: UpnpDevice): void {
  if (devices.length >= MAX_DEVICES || devices.some((known) => known.identity === device.identity)) return
  devices.push(device)
  devices.sort((a, b) => (a.usn < b.usn ? 1 : -1))
}
