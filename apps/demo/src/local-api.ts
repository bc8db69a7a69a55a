// Asks a daemon through its socket, as the command line does.
import { request } from 'node:http'

/** The part of a node's status that is read here. */
export interface NodeStatus {
  readonly BackendState: string
  readonly AuthURL: string
  readonly TailscaleIPs: readonly string[] | null
  readonly MagicDNSSuffix: string
  readonly Health: readonly string[]
  readonly Self: PeerStatus | null
  readonly Peer: Readonly<Record<string, PeerStatus>> | null
}

/** The part of a peer's status that is read here. */
export interface PeerStatus {
  readonly HostName: string
  readonly DNSName: string
  readonly TailscaleIPs: readonly string[]
  readonly Online: boolean
  readonly Relay: string
  readonly CurAddr: string
  readonly Addrs: readonly string[]
  readonly TxBytes: number
  readonly RxBytes: number
  /** Sealed datagrams by path. */
  readonly Paths?: {
    readonly directTx: number
    readonly directRx: number
    readonly relayTx: number
    readonly relayRx: number
  }
}

/** What came back from a ping. */
export interface PingResult {
  readonly Err: string
  readonly NodeIP: string
  readonly NodeName: string
  readonly LatencySeconds: number
  /** UDP endpoint of a direct answer; empty for a relayed one. */
  readonly Endpoint: string
  /** Relay region of a relayed answer. */
  readonly DERPRegionCode: string
}

/** Asks the daemon behind `socketPath`; throws an error with its one sentence when it refuses. */
export function askDaemon<T>(socketPath: string, method: 'GET' | 'POST', path: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath,
        method,
        path: `/localapi/v0/${path}`,
        headers: { Host: 'local-tailscaled.sock' },
        agent: false,
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.on('end', () => {
          if ((response.statusCode ?? 500) < 300) resolve(JSON.parse(text || 'null') as T)
          else reject(new Error(text.trim()))
        })
        response.on('error', reject)
      },
    )
    call.on('error', reject)
    call.end()
  })
}
