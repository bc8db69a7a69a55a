// What a node asks control beside its login and its map.
import { expect, test } from 'vitest'
import { CAPABILITY_VERSION } from '@mesh/wire/control'
import type { ControlOutput, ControlQuestion } from '../src/index.ts'
import { REQUEST_TIMEOUT } from '../src/index.ts'
import { Timeline } from './support.ts'

type Request = Extract<ControlOutput, { kind: 'request' }>
type Answer = Extract<ControlOutput, { kind: 'answer' }>

/** Asks, and returns the request that went out. */
function ask(time: Timeline, question: ControlQuestion): Request {
  const id = time.client.ask(question, time.now)
  const request = time.take().find((output) => output.kind === 'request' && output.id === id)
  if (request?.kind !== 'request') throw new Error('no request')
  return request
}

function answers(time: Timeline): Answer[] {
  time.take()
  return time.outputs.filter((output) => output.kind === 'answer')
}

test('a question is one request in the name of the node, and its answer is passed on', () => {
  const time = new Timeline().following()
  const { id, path, body, method } = ask(time, { about: 'id-token', audience: 'vault' })
  expect([path, method]).toEqual(['/machine/id-token', undefined])
  expect(JSON.parse(new TextDecoder().decode(body))).toEqual({
    CapVersion: CAPABILITY_VERSION,
    NodeKey: expect.stringMatching(/^nodekey:[0-9a-f]{64}$/) as unknown,
    Audience: 'vault',
  })
  time.client.handleResponse(id, 200, time.now)
  time.client.handleData(id, new TextEncoder().encode('{"id_'), time.now)
  time.client.handleData(id, new TextEncoder().encode('token":"x"}'), time.now)
  time.client.handleEnd(id, undefined, time.now)
  expect(answers(time)).toEqual([{ kind: 'answer', id, value: { id_token: 'x' } }])
})

test.each([
  [{ about: 'publish-text', name: '_acme-challenge.a.example', text: 'x' }, '/machine/set-dns', undefined],
  [{ about: 'feature', feature: 'serve' }, '/machine/feature/query', undefined],
  [{ about: 'attributes', update: { 'custom:a': null } }, '/machine/set-device-attr', 'PATCH'],
  [{ about: 'audit', action: 'DISCONNECT_NODE', details: 'lunch' }, '/machine/audit-log', undefined],
] as const)('%j goes to %s', (question, path, method) => {
  const request = ask(new Timeline().following(), question)
  expect([request.path, request.method]).toEqual([path, method])
})

test('what control does not grant is told to whoever asked, in its own words, and troubles nothing else', () => {
  const time = new Timeline().following()
  const { id } = ask(time, { about: 'feature', feature: 'funnel' })
  time.refuse(id, 400, 'not here')
  expect(answers(time)[0]?.error).toMatchObject({
    code: 'ERR_CONTROL_REFUSED',
    message: expect.stringContaining('not here') as unknown,
  })
  expect(time.events.filter(({ event }) => event === 'trouble')).toEqual([])
})

test('who asks hears within two minutes, also when the connection ends first; without one nothing is asked', () => {
  const time = new Timeline().following()
  ask(time, { about: 'feature', feature: 'serve' })
  time.turnTo(time.now + REQUEST_TIMEOUT - 1000)
  time.feed({ KeepAlive: true })
  expect(answers(time)).toEqual([])
  time.turnTo(time.now + 1000)
  expect(answers(time)[0]?.error?.code).toBe('ERR_CONTROL_UNREACHABLE')
  const lost = new Timeline().following()
  ask(lost, { about: 'feature', feature: 'serve' })
  lost.client.close()
  expect(answers(lost)[0]?.error?.code).toBe('ERR_CONTROL_LOST')
  expect(lost.client.ask({ about: 'feature', feature: 'serve' }, lost.now)).toBeUndefined()
  expect(new Timeline().connected().client.ask({ about: 'feature', feature: 'serve' }, 0)).toBeUndefined()
})
