// A node that does what the test says, for the daemon around it.
import type {
  BackendState,
  ControlQuestion,
  MeshNodeApi,
  NodeEvent,
  PathReport,
  PingOptions,
  PingResult,
} from '@mesh/net'
import { describeStatus, NetError } from '@mesh/net'

/** A node without a network. */
export class FakeNode implements MeshNodeApi {
  readonly addresses = ['100.64.0.1']
  readonly ready: Promise<void>
  readonly derpMap = undefined
  hostname = ''
  relayServerPort: number | undefined
  closed = false
  /** How it was last asked to ping. */
  pinged: PingOptions | undefined
  state: BackendState = 'Starting'
  settle: { resolve: () => void; reject: (error: Error) => void }
  readonly #listeners = new Set<(event: NodeEvent) => void>()

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    promise.catch(() => {})
    this.settle = { resolve, reject }
  }

  /** Comes up. */
  run(): void {
    this.state = 'Running'
    this.settle.resolve()
    this.tell({ kind: 'status' })
  }

  /** Sends an event. */
  tell(event: NodeEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  status() {
    return describeStatus({
      state: this.state,
      tun: false,
      health: [],
      map: undefined,
      ownEndpoints: [],
      homeRelay: 0,
      pathOf: () => undefined,
      pathReasonOf: () => undefined,
      lastHandshakeOf: () => undefined,
    })
  }

  whois() {
    return undefined
  }

  setRelayServerPort(port: number | undefined): void {
    this.relayServerPort = port
  }

  setHostname(hostname: string): void {
    this.hostname = hostname
  }

  /** What it was last asked to ask control. */
  asked: ControlQuestion | undefined

  askControl(question: ControlQuestion): Promise<unknown> {
    this.asked = question
    if (question.about === 'attributes' && 'refused' in question.update)
      return Promise.reject(new NetError('ERR_REFUSED', 'No such name.'))
    return Promise.resolve(question.about === 'id-token' ? { id_token: `for ${question.audience}` } : {})
  }

  netcheck() {
    const found = {
      Now: '2026-11-27T12:00:00.000Z',
      UDP: true,
      IPv4: true,
      IPv6: false,
      OSHasIPv6: false,
      GlobalV4: '',
      GlobalV6: '',
    }
    const latencies = { RegionLatency: {}, RegionV4Latency: {}, RegionV6Latency: {} }
    return Promise.resolve({ ...found, ...latencies, PreferredDERP: 0, Regions: [], Text: 'Report:' })
  }

  explain(target: string): PathReport {
    if (target !== '100.64.0.2') throw new NetError('ERR_NO_PEER', `No machine is called "${target}".`)
    return {
      NodeName: 'b',
      NodeIP: target,
      Path: { Kind: 'relay', DERPRegionCode: 'mesh' },
      Causes: [{ Code: 'our-udp-blocked', Certainty: 'certain', Text: 'No UDP gets out of this network.' }],
      Remedies: [{ Code: 'allow-udp-here', Text: 'Let UDP out.' }],
      Seen: [{ Event: 'ping-sent', Place: '192.0.2.1:1', Times: 2, SecondsAgo: 3 }],
      Text: 'Path: relay region 900',
    }
  }

  ping(target: string, options: PingOptions = {}): Promise<PingResult> {
    this.pinged = options
    return Promise.resolve({
      IP: target,
      NodeIP: target,
      NodeName: 'b',
      Err: '',
      LatencySeconds: 0.001,
      Endpoint: '127.0.0.1:1',
      PeerRelay: '',
      DERPRegionID: 0,
      DERPRegionCode: '',
      IsLocalIP: false,
    })
  }

  resolve() {
    return undefined
  }

  listenUdp(): never {
    throw new TypeError('a fake has no ports')
  }

  on(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  logout(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.closed = true
    return Promise.resolve()
  }
}
