// The two lines that the program prints when it is ready.
import { isIP } from 'node:net'
import { type Certificate, hostnameOf } from './certificate.ts'
import type { ListenAddress } from './flag-values.ts'
import type { Settings } from './settings.ts'

/**
 * Returns where the relay listens as one line, and the region to put into the DERP map so that clients find it.
 *
 * @param stunPort - `undefined` when STUN is not answered.
 * @param certificate - `undefined` when there is no TLS.
 */
export function describe(
  settings: Settings,
  port: number,
  stunPort: number | undefined,
  certificate: Certificate | undefined,
): { ready: string; region: object } {
  const url = `${certificate === undefined ? 'http' : 'https'}://${hostIn(settings.a)}:${port}`
  const stun = stunPort === undefined ? 'no STUN' : `STUN on udp/${stunPort}`
  const { regionId: RegionID, regionCode: RegionCode } = settings
  const node = {
    Name: `${RegionID}a`,
    RegionID,
    HostName: hostnameOf(settings),
    DERPPort: port,
    STUNPort: stunPort ?? -1,
    ...(certificate?.pin === undefined ? {} : { CertName: certificate.pin }),
    ...(certificate === undefined ? { InsecureForTests: true } : {}),
  }
  return {
    ready: `mesh-relay listening on ${url}, ${stun}`,
    region: { RegionID, RegionCode, RegionName: RegionCode, Nodes: [node] },
  }
}

/** Returns an address to listen on as it stands in a URL. */
export function hostIn({ host }: ListenAddress): string {
  if (host === '') return '[::]'
  return isIP(host) === 6 ? `[${host}]` : host
}
