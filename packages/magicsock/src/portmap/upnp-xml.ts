// The XML of UPnP: the description of a device, and the envelopes in which actions and their results travel.
import { parseXml, XmlElement } from '@rgrove/parse-xml'
import { type GatewayUrl, relativeGatewayUrl } from './http-request.ts'

/** What can map ports, best first (data-plane.md section 6.3). */
const SERVICE_TYPES = [
  'urn:schemas-upnp-org:service:WANIPConnection:2',
  'urn:schemas-upnp-org:service:WANIPConnection:1',
  'urn:schemas-upnp-org:service:WANPPPConnection:1',
] as const

/** More than a gateway has. */
const MAX_SERVICES = 8
/** A description is about ten elements deep. */
const MAX_DEPTH = 24

/** A service that maps ports. */
export interface UpnpService {
  readonly type: string
  readonly control: GatewayUrl
}

/** How an action ended: with these values, or refused with a number. */
export type SoapResult =
  | { readonly ok: true; readonly values: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly error: number }

/** Returns the services of a description that map ports, best first. Those that lead elsewhere are left out. */
export function readServices(description: string, base: GatewayUrl): UpnpService[] {
  const root = parse(description)
  const services = root === undefined ? [] : findAll(root, 'service')
  const found = services.flatMap((service) => {
    const type = childText(service, 'serviceType')
    const control = relativeGatewayUrl(childText(service, 'controlURL'), base)
    return control !== undefined && rank(type) >= 0 ? [{ type, control }] : []
  })
  return found.sort((a, b) => rank(a.type) - rank(b.type)).slice(0, MAX_SERVICES)
}

/** Returns the envelope that calls an action. Values must need no escaping: they are numbers and words of ours. */
export function soapCall(
  type: string,
  action: string,
  values: readonly (readonly [string, string])[],
): string {
  const inner = values.map(([name, value]) => `<${name}>${value}</${name}>`).join('')
  return (
    '<?xml version="1.0"?>\r\n' +
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
    `<u:${action} xmlns:u="${type}">${inner}</u:${action}></s:Body></s:Envelope>`
  )
}

/** Reads an envelope that came back; `undefined` for what is none. */
export function readSoap(text: string, action: string): SoapResult | undefined {
  const root = parse(text)
  if (root === undefined) return undefined
  const [fault] = findAll(root, 'UPnPError')
  if (fault !== undefined) return { ok: false, error: Number(childText(fault, 'errorCode')) || 0 }
  const [result] = findAll(root, `${action}Response`)
  if (result === undefined) return undefined
  return { ok: true, values: new Map(elements(result).map((value) => [localName(value), value.text.trim()])) }
}

/** A document type is where XML bombs live; no gateway needs one. Nor is one deeper than whoever walks it by recursion. */
function parse(text: string): XmlElement | undefined {
  if (text.includes('<!DOCTYPE')) return undefined
  try {
    const { root } = parseXml(text.trim())
    return root === null || isDeep(root) ? undefined : root
  } catch {
    return undefined // not XML, or so deep that the parser itself gave up
  }
}

/** Goes down level by level, for the text cannot be trusted to tell: comments may hold tags. */
function isDeep(root: XmlElement): boolean {
  let level = [root]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return true
    level = level.flatMap(elements)
  }
  return false
}

function findAll(from: XmlElement, name: string): XmlElement[] {
  const here = localName(from) === name ? [from] : []
  return [...here, ...elements(from).flatMap((child) => findAll(child, name))]
}

function elements(parent: XmlElement): XmlElement[] {
  return parent.children.filter((child): child is XmlElement => child instanceof XmlElement)
}

function childText(parent: XmlElement, name: string): string {
  return (
    elements(parent)
      .find((child) => localName(child) === name)
      ?.text.trim() ?? ''
  )
}

function localName(element: XmlElement): string {
  return element.name.replace(/^.*:/, '')
}

function rank(type: string): number {
  return SERVICE_TYPES.findIndex((known) => known === type)
}
