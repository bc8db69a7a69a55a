// Finding UPnP devices by SSDP: a question to the gateway and to the local network, and headers in the answers.
import { type Endpoint, type IpAddress, parseAddress } from '@mesh/wire/ip'
import { gatewayUrl, type GatewayUrl } from './http-request.ts'

/** UDP port of SSDP. */
export const SSDP_PORT = 1900
/** The group that every UPnP device listens to. */
const SSDP_GROUP = parseAddress('239.255.255.250')!
/** The device we look for. */
const GATEWAY_DEVICE = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1'
/** No answer is longer; what is, is not read. */
const MAX_ANSWER_LENGTH = 2_048

/** A device that says it is an internet gateway. */
export interface UpnpDevice {
  /** Where its description is: at the gateway's own address. */
  readonly location: GatewayUrl
  /** Its location and what it calls itself, to tell repeated answers apart from others. */
  readonly identity: string
  /** Its unique service name. */
  readonly usn: string
}

/** Returns the questions, and whom to ask (data-plane.md section 6.2). */
export function ssdpQuestions(gateway: IpAddress): { readonly to: Endpoint; readonly bytes: Uint8Array }[] {
  const group = { address: SSDP_GROUP, port: SSDP_PORT }
  return [
    { to: { address: gateway, port: SSDP_PORT }, bytes: question('ssdp:all') },
    { to: group, bytes: question('ssdp:all') },
    { to: group, bytes: question(GATEWAY_DEVICE) },
  ]
}

/** Reads an answer that came from the gateway; `undefined` for what is none, or leads elsewhere. */
export function decodeSsdpAnswer(bytes: Uint8Array, gateway: IpAddress): UpnpDevice | undefined {
  if (bytes.length > MAX_ANSWER_LENGTH) return undefined
  const text = new TextDecoder().decode(bytes)
  if (!/^HTTP\/1\.[01] 200[ \r]/.test(text) || !text.includes(':InternetGatewayDevice:')) return undefined
  const location = gatewayUrl(header(text, 'location'), gateway)
  if (location === undefined) return undefined
  const identity = `${header(text, 'location')} ${header(text, 'server')}`
  return { location, identity, usn: header(text, 'usn') }
}

function question(target: string): Uint8Array {
  const lines = [
    'M-SEARCH * HTTP/1.1',
    `HOST: 239.255.255.250:${SSDP_PORT}`,
    `ST: ${target}`,
    'MAN: "ssdp:discover"',
    'MX: 2',
    '',
    '',
  ]
  return new TextEncoder().encode(lines.join('\r\n'))
}

function header(text: string, name: string): string {
  const line = text.split('\r\n').find((candidate) => candidate.toLowerCase().startsWith(`${name}:`))
  return line === undefined ? '' : line.slice(name.length + 1).trim()
}
