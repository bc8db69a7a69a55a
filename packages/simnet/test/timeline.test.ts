import { encodeBindingRequest } from '@mesh/wire/stun'
import { expect, test } from 'vitest'
import { SimNet, Timeline } from '../src/index.ts'

test('a timeline tells what happened, when, between whom, and what it was', () => {
  const timeline = new Timeline()
  const net = new SimNet({ onEvent: timeline.record })
  const socket = net.host().socket(5)
  const server = net.host()
  socket.send(server.endpoint(7), encodeBindingRequest(net.random(12)))
  timeline.note(1, 'somebody waits')
  net.clock.advanceBy(100)
  expect(timeline.toString().split('\n')).toEqual([
    '       0.0  sent                 203.0.113.1:5 > 203.0.113.2:7  STUN, 40 bytes',
    '       1.0  somebody waits',
    '      10.0  dropped (closed-port) 203.0.113.1:5 > 203.0.113.2:7  STUN, 40 bytes',
  ])
})

test('only the last lines are kept, and payloads can be named by whoever knows them', () => {
  const timeline = new Timeline({ lines: 3, describe: (bytes) => `number ${bytes[0]}` })
  const net = new SimNet({ onEvent: timeline.record })
  const host = net.host()
  host.socket(7)
  const socket = host.socket(5)
  for (let i = 0; i < 100; i += 1) socket.send(host.endpoint(7), Uint8Array.of(i))
  net.clock.advanceBy(1)
  const lines = timeline.toString().split('\n')
  expect(lines.length).toBe(3)
  expect(lines[2]).toContain('delivered')
  expect(lines[2]).toContain('number 99, 1 bytes')
})
