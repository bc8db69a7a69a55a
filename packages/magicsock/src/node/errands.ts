// What the machine asks of the system beside sending: how far relays and hosts are without UDP, and whether a portal stands
// in between. Whoever cannot say, or fails at it, has nothing to tell.
import type { Clock } from '@mesh/sansio'
import type { IpAddress } from '@mesh/wire/ip'
import type { MagicSock } from '../magicsock.ts'
import type { MagicSockOutput } from '../output.ts'
import { pingByIcmp } from './icmp-ping.ts'
import type { OpenMagicSockOptions } from './open-magicsock.ts'

/** What there is to ask for. */
export type Errand = Extract<
  MagicSockOutput,
  { readonly kind: 'measure-relay' | 'ping-relay' | 'icmp-ping' | 'check-captive-portal' }
>

/** Those who know. */
export type Knowers = Pick<OpenMagicSockOptions, 'measureRelay' | 'pingIcmp' | 'checkCaptivePortal'>

/** Does an errand and tells the machine what came of it. Never rejects. */
export async function runErrand(
  errand: Errand,
  machine: MagicSock,
  clock: Clock,
  { measureRelay, pingIcmp = pingByIcmp, checkCaptivePortal }: Knowers,
): Promise<void> {
  const ping = (address: IpAddress): Promise<number | undefined> => pingIcmp(address).catch(() => undefined)
  switch (errand.kind) {
    case 'measure-relay': {
      const latency = await measureRelay?.(errand.region).catch(() => undefined)
      return machine.handleRelayMeasured(errand.region, latency, clock.now())
    }
    case 'ping-relay': {
      const latency = await ping(errand.address)
      return machine.handleRelayPinged(errand.region, latency, clock.now())
    }
    case 'icmp-ping': {
      const latency = await ping(errand.endpoint.address)
      return machine.handleIcmp(errand.peer, errand.endpoint, latency)
    }
    case 'check-captive-portal': {
      const captive = await checkCaptivePortal?.().catch(() => undefined)
      return machine.handleCaptivePortal(captive, clock.now())
    }
  }
}
