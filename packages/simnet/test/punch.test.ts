// Hole punching through every pair of NATs: what two sides reach that know each other's STUN endpoint, send to it
// at the same time, and answer to where a datagram came from. This is what disco does with ping and pong.
import { type Endpoint, endpointsEqual } from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import { type NatBehaviour, SimNet, type SimSocket } from '../src/index.ts'
import { ask } from './support.ts'

interface Nat {
  readonly mapping: NatBehaviour
  readonly filtering: NatBehaviour
}

const EI = 'endpoint-independent'
const AD = 'address-dependent'
const APD = 'address-and-port-dependent'
const BEHAVIOURS: readonly NatBehaviour[] = [EI, AD, APD]
const NATS: readonly Nat[] = BEHAVIOURS.flatMap((mapping) =>
  BEHAVIOURS.map((filtering) => ({ mapping, filtering })),
)

const PING = 1
const PONG = 2

/** Punches for a second; tells whether anybody got a pong. */
function punch(a: Nat, b: Nat): boolean {
  const net = new SimNet()
  const stun = net.stunServer()
  const [alice, bob] = [a, b].map((nat) => net.host({ behind: net.nat(nat) }).socket()) as [
    SimSocket,
    SimSocket,
  ]
  const [seenA, seenB] = [ask(net, alice, stun)!, ask(net, bob, stun)!]
  let pongs = 0
  const answer = (socket: SimSocket): void => {
    socket.onDatagram = (bytes, from) => {
      if (bytes[0] === PING) socket.send(from, Uint8Array.of(PONG))
      else pongs += 1
    }
  }
  answer(alice)
  answer(bob)
  for (let round = 0; round < 3; round += 1) {
    alice.send(seenB, Uint8Array.of(PING))
    bob.send(seenA, Uint8Array.of(PING))
    net.clock.advanceBy(300)
  }
  return pongs > 0
}

/** Whether a ping of `from` gets in at `to`, by the rules alone. */
function pingPasses(from: Nat, to: Nat): boolean {
  if (to.filtering === EI) return true
  if (to.mapping !== EI) return false // the port known is for the STUN server only
  return to.filtering === AD || from.mapping === EI
}

/** Whether the pong gets back: from the port pinged, or from another one that the pinger's filter lets in. */
function pongReturns(pinger: Nat, ponger: Nat): boolean {
  return pingPasses(pinger, ponger) && (ponger.mapping === EI || pinger.filtering !== APD)
}

const name = (nat: Nat): string => `${nat.mapping} mapping, ${nat.filtering} filtering`

describe.each(NATS.map((nat) => [name(nat), nat] as const))('D2, NAT matrix: from %s', (_, a) => {
  test.each(NATS.map((nat) => [name(nat), nat] as const))('to %s', (__, b) => {
    expect(punch(a, b)).toBe(pongReturns(a, b) || pongReturns(b, a))
  })
})

test('the well-known corners: easy with easy works, symmetric with port-restricted does not', () => {
  const portRestricted = { mapping: EI, filtering: APD } as const
  const symmetric = { mapping: APD, filtering: APD } as const
  const fullCone = { mapping: EI, filtering: EI } as const
  expect([punch(portRestricted, portRestricted), punch(symmetric, fullCone)]).toEqual([true, true])
  expect([punch(symmetric, portRestricted), punch(symmetric, symmetric)]).toEqual([false, false])
})

test('D13: two STUN servers tell a NAT whose mapping varies by destination', () => {
  const varies = (nat: Nat): boolean => {
    const net = new SimNet()
    const servers = [net.stunServer(), net.stunServer()]
    const socket = net.host({ behind: net.nat(nat) }).socket()
    const [one, two] = servers.map((server) => ask(net, socket, server)) as [Endpoint, Endpoint]
    return !endpointsEqual(one, two)
  }
  expect(NATS.map(varies)).toEqual(NATS.map((nat) => nat.mapping !== EI))
})
