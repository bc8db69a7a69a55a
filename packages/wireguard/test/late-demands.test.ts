// A data plane may be a thread away: what it asks for may have been given before its question is heard.
import { nodeCrypto } from '@mesh/noise/node'
import { seededRandom } from '@mesh/sansio'
import { describe, expect, test } from 'vitest'
import { ACTIVITY, addActivity, WireGuard, type WireGuardOutput } from '../src/index.ts'

const PEER = 1
const { sent, received, established, needSession, rekey } = ACTIVITY

function machine(key: number): WireGuard {
  const privateKey = new Uint8Array(32).fill(key)
  return new WireGuard({ privateKey, crypto: nodeCrypto, random: seededRandom(key), wallClock: () => 1.7e12 })
}

function drain(wireguard: WireGuard): WireGuardOutput[] {
  const outputs: WireGuardOutput[] = []
  for (let output = wireguard.poll(); output !== undefined; output = wireguard.poll()) outputs.push(output)
  return outputs
}

/** The messages among what comes out of a machine. */
const said = (wireguard: WireGuard): Uint8Array[] =>
  drain(wireguard).flatMap((output) => (output.kind === 'transmit' ? [output.datagram] : []))

/** When a machine says something from `from` on, in 20 seconds. */
function saysAt(wireguard: WireGuard, from: number): number[] {
  const times: number[] = []
  for (let now = wireguard.pollTimeout(); now < from + 20_000; now = wireguard.pollTimeout()) {
    wireguard.handleTimeout(now)
    for (const _ of said(wireguard)) times.push(now)
  }
  return times
}

/** Alice has begun a session at 0 and has had its answer at 50; `localIndex` is that of her end. */
function meeting(): { alice: WireGuard; bob: WireGuard; localIndex: number } {
  const [alice, bob] = [machine(1), machine(2)]
  alice.setPeers([{ id: PEER, publicKey: bob.publicKey, allowedIps: [] }], 0)
  bob.setPeers([{ id: PEER, publicKey: alice.publicKey, allowedIps: [] }], 0)
  alice.handleActivity(PEER, needSession, 0)
  for (const initiation of said(alice)) bob.handleDatagram(initiation, -1, undefined, 40)
  for (const response of said(bob)) alice.handleDatagram(response, -1, undefined, 50)
  const localIndex = drain(alice).flatMap((out) =>
    out.kind === 'session' ? [out.session.localIndex] : [],
  )[0]
  return { alice, bob, localIndex: localIndex ?? -1 }
}

describe('W9 what was asked for before it was given begins no other handshake', () => {
  test.each([
    ['a session', needSession],
    ['the next one, by packets that were sealed with the last', sent | rekey],
  ])('with whoever began it: %s', (_, activity) => {
    const { alice } = meeting()
    for (const now of [51, 60, 1_000]) alice.handleActivity(PEER, activity, now)
    expect(saysAt(alice, 51)).toEqual([])
    alice.handleActivity(PEER, activity, 60_000) // and one that is asked for later is begun at once
    expect(said(alice)).toHaveLength(1)
  })

  test('with whoever answered, once the other one was heard', () => {
    const { bob } = meeting()
    bob.handleActivity(PEER, needSession, 45) // it cannot send yet
    bob.handleActivity(PEER, received | established, 60)
    bob.handleActivity(PEER, needSession, 61) // of a thread that had not heard of it
    expect(saysAt(bob, 61)).toEqual([])
  })

  test('told in one breath, in that order', () => {
    expect(addActivity(needSession | rekey, received | established)).toBe(received | established)
    expect(addActivity(established, needSession)).toBe(established | needSession)
  })
})

test('a session that the data plane has lost is begun anew as soon as may be', () => {
  const { alice, localIndex } = meeting()
  alice.handleSessionEnd(localIndex)
  alice.handleActivity(PEER, needSession, 60)
  expect(saysAt(alice, 60)[0]).toBe(5_000)
})

test('a person may have another one begun, however young the session is', () => {
  const { alice } = meeting()
  alice.startHandshake(PEER, 60)
  expect(saysAt(alice, 60)[0]).toBe(5_000)
})
