// A gateway in memory that speaks what a test lets it, and a mapper before it, under a clock that the test turns.
import { drain } from '@mesh/sansio'
import { formatEndpoint, parseAddress } from '@mesh/wire/ip'
import type { GatewayRequest, GatewayResponse } from '../../src/portmap/http-request.ts'
import { PortMapper, type PortMapperOutput } from '../../src/portmap/port-mapper.ts'

export const GATEWAY = parseAddress('192.168.1.1')!
export const SELF = parseAddress('192.168.1.11')!
export const OUTSIDE = parseAddress('203.0.113.7')!
export const PORT = 41_641

/** How a gateway behaves. Unset: it does not speak that. */
export interface Manners {
  natPmp?: {
    lifetime?: number
    result?: number
    external?: Uint8Array
    port?: number
    silentMap?: boolean
    /** Answers what is not its version as RFC 6886 section 3.5 wants it. */
    refusesPcp?: boolean
  }
  pcp?: { result?: number; badNonce?: boolean }
  upnp?: {
    location?: string
    description?: string
    /** Answers an action: an error number, or the values. */
    act: (action: string, body: string) => number | Record<string, string> | GatewayResponse
  }
}

export const DESCRIPTION = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<deviceList><device><deviceList><device><serviceList><service>
<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>
<controlURL>/ctl/IPConn</controlURL>
</service></serviceList></device></deviceList></device></deviceList></device></root>`

/** A mapper and its gateway, joined by a wire that takes 5 ms each way. */
export class Home {
  readonly mapper: PortMapper
  readonly asked: string[] = []
  readonly fetched: GatewayRequest[] = []
  readonly events: (string | undefined)[] = []
  readonly strayed: string[] = []
  now = 0
  epochFrom = -1_000_000
  manners: Manners
  readonly #inFlight: { at: number; run: () => void }[] = []

  constructor(manners: Manners) {
    this.manners = manners
    let drawn = 0
    this.mapper = new PortMapper((length) => Uint8Array.from({ length }, () => (drawn += 37) & 0xff))
    this.mapper.setNetwork({ address: GATEWAY, self: SELF }, PORT, 0)
    this.#perform()
  }

  get external(): string | undefined {
    return this.mapper.mapping === undefined ? undefined : formatEndpoint(this.mapper.mapping.external)
  }

  /** Lets time pass. */
  run(duration: number): void {
    const end = this.now + duration
    for (;;) {
      this.#inFlight.sort((a, b) => a.at - b.at)
      const next = Math.min(this.#inFlight[0]?.at ?? Infinity, this.mapper.pollTimeout())
      if (next > end) break
      this.now = Math.max(this.now, next)
      const arrival = this.#inFlight[0]?.at === next ? this.#inFlight.shift() : undefined
      if (arrival === undefined) this.mapper.handleTimeout(this.now)
      else arrival.run()
      this.#perform()
    }
    this.now = end
  }

  /** The gateway starts anew: its clock too. */
  reboot(): void {
    this.epochFrom = this.now
  }

  release(): void {
    this.mapper.release(this.now)
    this.#perform()
  }

  /** The machine has slept, and its clock stood still. */
  wake(slept: number): void {
    this.mapper.handleWake(slept, this.now)
    this.#perform()
  }

  /** Another port of ours is to be reached. */
  usePort(port: number): void {
    this.mapper.setNetwork({ address: GATEWAY, self: SELF }, port, this.now)
    this.#perform()
  }

  hear(bytes: Uint8Array, from = GATEWAY, port = 5351): void {
    this.mapper.handleDatagram(bytes, { address: from, port }, this.now)
    this.#perform()
  }

  take(outputs: readonly PortMapperOutput[]): void {
    for (const output of outputs) {
      if (output.kind === 'event') this.events.push(output.mapping && formatEndpoint(output.mapping.external))
      if (output.kind === 'datagram') this.#arrive(output.to.address, output.to.port, output.bytes)
      if (output.kind === 'fetch') this.#serve(output.fetch, output.request)
    }
  }

  #perform(): void {
    this.take(drain(this.mapper))
  }

  #later(run: () => void): void {
    this.#inFlight.push({ at: this.now + 10, run })
  }

  #answer(bytes: Uint8Array, port: number): void {
    this.#later(() => this.mapper.handleDatagram(bytes, { address: GATEWAY, port }, this.now))
  }

  #arrive(to: Uint8Array, port: number, bytes: Uint8Array): void {
    if (port === 1900) return this.#search(bytes)
    if (port !== 5351 || to.join('.') !== GATEWAY.join('.'))
      return void this.strayed.push(`${to.join('.')}:${port}`)
    if (bytes[0] === 0) this.#natPmp(bytes)
    if (bytes[0] === 2) this.#pcp(bytes)
  }

  get #epoch(): number {
    return Math.floor((this.now - this.epochFrom) / 1_000)
  }

  #natPmp(bytes: Uint8Array): void {
    this.asked.push(bytes[1] === 0 ? 'pmp address' : `pmp map ${new DataView(bytes.buffer).getUint32(8)}`)
    const { natPmp } = this.manners
    if (natPmp === undefined) return
    const answer = new Uint8Array(bytes[1] === 0 ? 12 : 16)
    const view = new DataView(answer.buffer)
    answer[1] = 0x80 | bytes[1]!
    view.setUint16(2, natPmp.result ?? 0)
    view.setUint32(4, this.#epoch)
    if (bytes[1] === 0) {
      answer.set(natPmp.external ?? OUTSIDE, 8)
    } else {
      if (natPmp.silentMap === true) return
      const suggested = new DataView(bytes.buffer).getUint16(6)
      answer.set(bytes.subarray(4, 6), 8)
      view.setUint16(10, natPmp.port ?? (suggested === 0 ? 50_001 : suggested))
      view.setUint32(12, natPmp.lifetime ?? 7_200)
    }
    this.#answer(answer, 5351)
  }

  #pcp(bytes: Uint8Array): void {
    this.asked.push(bytes[1] === 0 ? 'pcp announce' : `pcp map ${new DataView(bytes.buffer).getUint32(4)}`)
    const { natPmp, pcp } = this.manners
    if (natPmp?.refusesPcp === true) this.#answer(Uint8Array.of(0, 0x80, 0, 1, 0, 0, 0, 0), 5351)
    if (pcp === undefined) return
    const answer = bytes.slice()
    const view = new DataView(answer.buffer)
    answer[1] = 0x80 | bytes[1]!
    answer[3] = pcp.result ?? 0
    view.setUint32(8, this.#epoch)
    if (bytes[1] === 1) {
      if (pcp.badNonce === true) answer[24]! ^= 1
      if (view.getUint16(42) === 0) view.setUint16(42, 50_002)
      answer.set(OUTSIDE, 56)
    }
    this.#answer(answer, 5351)
  }

  #search(bytes: Uint8Array): void {
    const { upnp } = this.manners
    if (upnp === undefined || !new TextDecoder().decode(bytes).includes('InternetGatewayDevice')) return
    const location = upnp.location ?? 'http://192.168.1.1:5000/rootDesc.xml'
    const answer = `HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nUSN: uuid:1::x\r\nSERVER: fake/1\r\nLOCATION: ${location}\r\n\r\n`
    this.#answer(new TextEncoder().encode(answer), 1900)
  }

  #serve(fetch: number, request: GatewayRequest): void {
    this.fetched.push(request)
    const { upnp } = this.manners
    const done = (response: GatewayResponse | undefined): void =>
      this.#later(() => this.mapper.handleFetched(fetch, response, this.now))
    if (upnp === undefined) return done(undefined)
    if (request.method === 'GET') return done({ status: 200, body: upnp.description ?? DESCRIPTION })
    const action = /#(\w+)"/.exec(request.headers['SOAPAction'] ?? '')?.[1] ?? ''
    const result = upnp.act(action, request.body)
    if (typeof result === 'number') return done({ status: 500, body: fault(result) })
    if (typeof result['status'] === 'number') return done(result as GatewayResponse)
    const values = Object.entries(result).map(([name, value]) => `<${name}>${value}</${name}>`)
    const inner = `<u:${action}Response xmlns:u="x">${values.join('')}</u:${action}Response>`
    done({ status: 200, body: envelope(inner) })
  }
}

/** A UPnP gateway that does all that is asked. */
export function kindUpnp(external = '203.0.113.7'): NonNullable<Manners['upnp']> {
  return {
    act: (action) => {
      if (action === 'GetExternalIPAddress') return { NewExternalIPAddress: external }
      return action === 'GetStatusInfo' ? { NewConnectionStatus: 'Connected' } : {}
    },
  }
}

export function envelope(inner: string): string {
  return `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${inner}</s:Body></s:Envelope>`
}

function fault(code: number): string {
  return envelope(
    `<s:Fault><detail><UPnPError xmlns="x"><errorCode>${code}</errorCode></UPnPError></detail></s:Fault>`,
  )
}
