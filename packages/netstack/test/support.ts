// Two stacks and the wire between them, for tests.
import { seededRandom } from '@mesh/sansio'
import { type Endpoint, type IpAddress, parseAddress, parseEndpoint } from '@mesh/wire/ip'
import { Netstack, type NetstackOutput } from '../src/index.ts'

export function ip(text: string): IpAddress {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(text)
  return address
}

export function at(text: string): Endpoint {
  const endpoint = parseEndpoint(text)
  if (endpoint === undefined) throw new TypeError(text)
  return endpoint
}

export const A4 = ip('100.64.0.1')
export const A6 = ip('fd7a:115c:a1e0::1')
export const B4 = ip('100.64.0.2')
export const B6 = ip('fd7a:115c:a1e0::2')

/** Returns a stack with both families: `stackOf(A4, A6)`. */
export function stackOf(...addresses: IpAddress[]): Netstack {
  return new Netstack({ addresses, random: seededRandom(addresses[0]?.at(-1) ?? 0) })
}

export type Event = Exclude<NetstackOutput, { kind: 'packet' }>

/** Carries packets between stacks until none is left; returns the other outputs in order, with their stack. */
export function exchange(now: number, ...stacks: Netstack[]): [Netstack, Event][] {
  const events: [Netstack, Event][] = []
  for (let busy = true; busy; ) {
    busy = false
    for (const stack of stacks) {
      for (let output = stack.poll(); output !== undefined; output = stack.poll()) {
        busy = true
        if (output.kind !== 'packet') events.push([stack, output])
        else for (const other of stacks) if (other !== stack) other.handlePacket(output.packet, now)
      }
    }
  }
  return events
}

/** Returns the packets a stack wants to send now. */
export function packetsFrom(stack: Netstack): Uint8Array[] {
  const packets: Uint8Array[] = []
  for (let output = stack.poll(); output !== undefined; output = stack.poll()) {
    if (output.kind === 'packet') packets.push(output.packet)
  }
  return packets
}
