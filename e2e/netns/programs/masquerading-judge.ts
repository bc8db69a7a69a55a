// The gate of a node whose one peer knows it by other addresses than its own, on the packet thread.
import { createJudge as createGate } from '@mesh/net/node/packet-judge'
import { parseAddress, parsePrefix } from '@mesh/wire/ip'
import type { PacketJudge } from '@mesh/wireguard/node'

/** Room for the gate's counters. */
const COUNTERS = 4_096

function all<T>(texts: readonly string[], parse: (text: string) => T | undefined): T[] {
  return texts.flatMap((text) => parse(text) ?? [])
}

/** Makes it. The packet thread imports this. */
export function createJudge(): PacketJudge {
  const gate = createGate(new SharedArrayBuffer(COUNTERS))
  const prefixes = all(['10.9.0.2/32', 'fd00:9::2/128'], parsePrefix)
  const shown = all(['10.9.0.101', 'fd00:9::101'], parseAddress)
  gate.configure({
    localPrefixes: ['10.9.0.1/32', 'fd00:9::1/128'],
    rules: [{ SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65_535 } }] }],
    terms: {
      own: all(['10.9.0.1', 'fd00:9::1'], parseAddress),
      peers: [{ prefixes, shown, isJailed: false }],
    },
  })
  return gate
}
