// Is what explainPath says true? Against every pair of NATs in the simulator, whose kinds are known: the first cause
// must be the true one, and the first remedy, carried out, must make the path direct.
import { type NatBehaviour, type NatOptions, SimNet } from '@mesh/simnet'
import type { PathCauseCode, PathRemedyCode } from '@mesh/magicsock'
import { expect, test } from 'vitest'
import { introduce, Node, regionOf } from './magicsock-support.ts'

const BEHAVIOURS: readonly NatBehaviour[] = [
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
]
const KINDS: readonly NatOptions[] = BEHAVIOURS.flatMap((mapping) =>
  BEHAVIOURS.map((filtering) => ({ mapping, filtering })),
)
/** What a port mapping makes of any NAT, as far as the mapped port is concerned. */
const MAPPED: NatOptions = { mapping: 'endpoint-independent', filtering: 'endpoint-independent' }

interface Verdict {
  readonly direct: boolean
  readonly cause: PathCauseCode | undefined
  readonly remedy: PathRemedyCode | undefined
}

/** Lets two nodes behind these NATs talk for 20 s, and returns what the first says of it. */
function verdictOf(a: NatOptions, b: NatOptions): Verdict {
  const net = new SimNet()
  const relays = regionOf([net.stunServer(), net.stunServer()])
  const relay = net.relay()
  const one = new Node({ id: 1, net, host: net.host({ behind: net.nat(a) }), relay, relays })
  const two = new Node({ id: 2, net, host: net.host({ behind: net.nat(b) }), relay, relays })
  introduce(net, one, two)
  for (let t = 0; t < 20_000; t += 500) {
    one.send(2, t)
    two.send(1, t)
    net.clock.advanceBy(500)
  }
  const explanation = one.sock.explainPath(2, net.clock.now())
  return {
    direct: one.isDirect(2),
    cause: explanation?.causes[0]?.code,
    remedy: explanation?.remedies[0]?.code,
  }
}

function truth(direct: boolean, a: NatOptions): PathCauseCode {
  if (direct) return 'direct'
  return a.mapping === 'endpoint-independent' ? 'their-nat-varies' : 'our-nat-varies'
}

test('the first cause is the true one, and the first remedy makes the path direct, behind every pair of NATs', () => {
  const table = new Map<string, number>()
  for (const a of KINDS) {
    for (const b of KINDS) {
      const { direct, cause, remedy } = verdictOf(a, b)
      const key = `${truth(direct, a)} -> ${cause}`
      table.set(key, (table.get(key) ?? 0) + 1)
      if (direct) continue
      expect(['port-mapping-here', 'port-mapping-there']).toContain(remedy)
      const mended = remedy === 'port-mapping-here' ? verdictOf(MAPPED, b) : verdictOf(a, MAPPED)
      expect(mended).toMatchObject({ direct: true, cause: 'direct' })
    }
  }
  console.log(['truth -> verdict', ...[...table].map(([key, count]) => `${key}: ${count}`)].join('\n'))
  const right = [...table].filter(([key]) => key.split(' -> ')[0] === key.split(' -> ')[1])
  expect(right.reduce((sum, [, count]) => sum + count, 0)).toBe(KINDS.length ** 2)
})
