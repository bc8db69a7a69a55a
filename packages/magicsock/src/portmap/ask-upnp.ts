// A mapping by UPnP's internet gateway device, version 1 or 2: read the description, choose the service whose line is
// up, ask it for a port, and what its outside address is (data-plane.md section 6.3).
import { formatAddress, type IpAddress, isPrivate, parseAddress } from '@mesh/wire/ip'
import { type Dialogue, fetched, type Setting } from './dialogue.ts'
import { type GatewayRequest, MAX_RESPONSE_LENGTH, RESPONSE_TIMEOUT } from './http-request.ts'
import { believedLifetime, isUsableExternal, MAPPING_LIFETIME, type PortMapping } from './mapping.ts'
import type { UpnpDevice } from './ssdp.ts'
import { readServices, readSoap, soapCall, type SoapResult, type UpnpService } from './upnp-xml.ts'

/** Actions fail with these where leases must be permanent. */
const LEASE_TROUBLE = [402, 725]
/** The outside port belongs to somebody else. */
const CONFLICT = 718
const MAX_PORT_TRIES = 3
const MAX_DESCRIPTIONS = 3
/** Ports below are not for us; some gateways refuse them. */
const FIRST_PORT = 1_024
const LAST_PORT = 65_534

/** A mapping, and where to take it back. */
export interface UpnpMapping extends PortMapping {
  readonly upnp: UpnpService
}

/** Asks for a mapping: of the devices that have answered, the first that gives one. */
export function* askUpnp(
  setting: Setting,
  devices: readonly UpnpDevice[],
): Dialogue<UpnpMapping | undefined> {
  for (const { location } of devices.slice(0, MAX_DESCRIPTIONS)) {
    const description = yield* fetched(requestTo('GET', location, {}, ''))
    if (description?.status !== 200) continue
    const upnp = yield* chooseService(readServices(description.body, location))
    const mapping = upnp === undefined ? undefined : yield* map(setting, upnp)
    if (mapping !== undefined) return mapping
  }
  return undefined
}

/** Returns the request that takes a mapping back. */
export function upnpRelease({ upnp, external }: UpnpMapping): GatewayRequest {
  return actionRequest(upnp, 'DeletePortMapping', [
    ['NewRemoteHost', ''],
    ['NewExternalPort', `${external.port}`],
    ['NewProtocol', 'UDP'],
  ])
}

/** One whose line is up and public, else up behind another NAT, else up, else the first. */
function* chooseService(services: readonly UpnpService[]): Dialogue<UpnpService | undefined> {
  if (services.length <= 1) return services[0]
  const standing = new Map<UpnpService, number>()
  for (const service of services) {
    const isUp = yield* isConnected(service)
    const address = isUp ? yield* externalAddress(service) : undefined
    const rank = !isUp ? 3 : address === undefined ? 2 : isInside(address) ? 1 : 0
    if (rank === 0) return service
    standing.set(service, rank)
  }
  return [...services].sort((a, b) => (standing.get(a) ?? 3) - (standing.get(b) ?? 3))[0]
}

function* map(setting: Setting, upnp: UpnpService): Dialogue<UpnpMapping | undefined> {
  let port = setting.previous?.external.port ?? 0
  for (let tries = 0; tries < MAX_PORT_TRIES; tries += 1) {
    if (port < FIRST_PORT) port = drawPort(setting)
    const added = yield* add(setting, upnp, port)
    if (typeof added === 'object') {
      const address = yield* externalAddress(upnp)
      if (address === undefined) return undefined
      const expiresAt = setting.now() + believedLifetime(MAPPING_LIFETIME)
      return { service: 'upnp', upnp, external: { address, port: added.port }, expiresAt }
    }
    if (added !== CONFLICT) return undefined
    port = 0
  }
  return undefined
}

/** Returns the port given, or the number of what went wrong; 0 for anything. */
function* add(setting: Setting, upnp: UpnpService, port: number): Dialogue<{ port: number } | number> {
  const isAny = upnp.type.endsWith(':2')
  let result = yield* addOnce(setting, upnp, port, isAny, MAPPING_LIFETIME)
  if (result?.ok === false && LEASE_TROUBLE.includes(result.error)) {
    result = yield* addOnce(setting, upnp, port, isAny, 0)
  } else if (result?.ok === false && isAny) {
    // Some that call themselves version 2 know the action of version 1 only.
    result = yield* addOnce(setting, upnp, port, false, MAPPING_LIFETIME)
  }
  if (result?.ok !== true) return result?.error ?? 0
  const given = result.values.get('NewReservedPort')
  if (given === undefined) return { port }
  return /^\d{1,5}$/.test(given) && Number(given) > 0 && Number(given) <= 0xffff ? { port: Number(given) } : 0
}

function addOnce(
  { gateway, port: internal }: Setting,
  upnp: UpnpService,
  port: number,
  isAny: boolean,
  lease: number,
): Dialogue<SoapResult | undefined> {
  return call(upnp, isAny ? 'AddAnyPortMapping' : 'AddPortMapping', [
    ['NewRemoteHost', ''],
    ['NewExternalPort', `${port}`],
    ['NewProtocol', 'UDP'],
    ['NewInternalPort', `${internal}`],
    ['NewInternalClient', formatAddress(gateway.self)],
    ['NewEnabled', '1'],
    ['NewPortMappingDescription', 'mesh-portmap'],
    ['NewLeaseDuration', `${lease}`],
  ])
}

function* isConnected(upnp: UpnpService): Dialogue<boolean> {
  const result = yield* call(upnp, 'GetStatusInfo', [])
  const status = result?.ok === true ? result.values.get('NewConnectionStatus') : undefined
  return status === 'Connected' || status === 'Up'
}

function* externalAddress(upnp: UpnpService): Dialogue<IpAddress | undefined> {
  const result = yield* call(upnp, 'GetExternalIPAddress', [])
  const text = result?.ok === true ? (result.values.get('NewExternalIPAddress') ?? '') : ''
  const address = parseAddress(text)
  return address !== undefined && isUsableExternal(address) ? address : undefined
}

function* call(
  upnp: UpnpService,
  action: string,
  values: readonly (readonly [string, string])[],
): Dialogue<SoapResult | undefined> {
  const response = yield* fetched(actionRequest(upnp, action, values))
  // A refusal comes with 500; a redirection leads nowhere (threat 13).
  const isAnswer = response?.status === 200 || response?.status === 500
  return isAnswer ? readSoap(response.body, action) : undefined
}

function actionRequest(
  { type, control }: UpnpService,
  action: string,
  values: readonly (readonly [string, string])[],
): GatewayRequest {
  const headers = { 'Content-Type': 'text/xml; charset="utf-8"', SOAPAction: `"${type}#${action}"` }
  return requestTo('POST', control, headers, soapCall(type, action, values))
}

function requestTo(
  method: 'GET' | 'POST',
  { to, path }: UpnpDevice['location'],
  headers: Readonly<Record<string, string>>,
  body: string,
): GatewayRequest {
  return { method, to, path, headers, body, maxLength: MAX_RESPONSE_LENGTH, timeout: RESPONSE_TIMEOUT }
}

function drawPort({ random }: Setting): number {
  const [a = 0, b = 0] = random(2)
  return FIRST_PORT + ((a * 0x100 + b) % (LAST_PORT - FIRST_PORT + 1))
}

/** Private, or the range of carriers' NATs: a mapping there is not yet the internet. */
function isInside(address: IpAddress): boolean {
  return isPrivate(address) || (address[0] === 100 && ((address[1] ?? 0) & 0xc0) === 64)
}
