// A machine that has slept: how it is known, and what is believed afterwards.
import { beforeEach, describe, expect, test } from 'vitest'
import { SENT, SleepWatch } from '../src/index.ts'
import { twoPublicNodes, type World, type WorldNode } from './support.ts'

describe('the watch', () => {
  test('sees sleep by the time since the system started, which goes on, where the clock stands still', () => {
    const watch = new SleepWatch(5_000, 100, 70_000)
    expect(watch.look(5_100, 75_000)).toBe(0)
    expect(watch.look(10_100, 3_680_000)).toBe(3_600_000)
    expect(watch.look(15_100, 3_685_000)).toBe(0)
  })

  test('sees it by being called far too late, where the clock goes on', () => {
    const watch = new SleepWatch(5_000, 0, 0)
    expect(watch.look(65_000, 65_000)).toBe(60_000)
  })

  test('takes neither a busy moment nor tardy seconds of the system for sleep', () => {
    const watch = new SleepWatch(5_000, 0, 1_000)
    expect(watch.look(9_000, 9_000)).toBe(0)
    expect(watch.look(14_000, 16_000)).toBe(0)
    expect(watch.look(19_000, 10_000)).toBe(0)
  })
})

describe('the machine', () => {
  const A = '198.51.100.1:41641'
  const B = '203.0.113.2:41641'
  let world: World
  let a: WorldNode
  let b: WorldNode

  beforeEach(() => {
    ;({ world, a, b } = twoPublicNodes())
    a.keepSending(2, 500, 2_000)
  })

  function wake(): void {
    a.sock.handleWake(world.clock.now())
    a.wake()
  }

  test('D16: sends both ways until the path answers, and asks every STUN server', () => {
    const since = world.clock.now()
    wake()
    expect(a.sent('stun', since)).toEqual(['192.0.2.1:3478'])
    expect(a.send(2)).toBe(SENT.both)
    expect(a.sent('ping', since)).toEqual([B])
    world.clock.advanceBy(25)
    expect(a.send(2)).toBe(SENT.direct)
  })

  test('D16: loses nothing over a path that died meanwhile', () => {
    world.isLost = (_from, to) => to === A || to === B
    wake()
    for (let n = 0; n < 20; n += 1) {
      a.send(2, n)
      world.clock.advanceBy(500)
    }
    expect(b.arrivals.filter(({ via }) => via === 'relay').slice(-20)).toHaveLength(20)
    expect(a.send(2)).toBe(SENT.relay)
  })

  test('calls the peer with endpoints looked up after the sleep', () => {
    wake()
    const since = world.clock.now()
    a.send(2)
    expect(a.sent('call-me-maybe', since)).toEqual([])
    world.clock.advanceBy(50)
    expect(a.sent('call-me-maybe', since)).toEqual(['relay 1'])
  })
})
