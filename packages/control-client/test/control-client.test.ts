// The client's life as timelines: no socket, no sleep.
import { seededRandom } from '@mesh/sansio'
import type { RegisterResponse } from '@mesh/wire/control'
import { describe, expect, test } from 'vitest'
import {
  Backoff,
  type CallAnswer,
  type ControlCall,
  ControlError,
  MAP_WATCHDOG,
  MAX_RETRY_DELAY,
  STEADY_AFTER,
} from '../src/index.ts'
import { NODE_KEY, NOW, SNAPSHOT, Timeline } from './support.ts'

const kinds = (timeline: Timeline): string[] =>
  timeline.outputs.map((output) => (output.kind === 'event' ? output.event : output.kind))

describe('logging in', () => {
  test('connects, registers, follows and reports, in that order', () => {
    const timeline = new Timeline().following()
    expect(kinds(timeline)).toEqual([
      'connect',
      'request',
      'registered',
      'request',
      'request',
      'map',
      'following',
    ])
    expect(timeline.requests('register')[0]?.body).toMatchObject({
      Version: 138,
      Followup: '',
      Expiry: '0001-01-01T00:00:00Z',
    })
    expect(timeline.requests('map')).toHaveLength(1)
    expect(timeline.requests('report')[0]?.body).toMatchObject({ OmitPeers: true })
  })

  test('control 19: a reconnect follows again without another login', () => {
    const timeline = new Timeline().following()
    timeline.client.handleDisconnected(new ControlError('ERR_CONTROL_LOST', 'lost'), timeline.now)
    timeline.turnTo(1000)
    timeline.client.handleConnected(timeline.now)
    timeline.take()
    expect(timeline.requests('register')).toHaveLength(1)
    expect(timeline.requests('map')).toHaveLength(2)
  })

  test('control 16: the followup carries the page as given, and may wait for hours', () => {
    const timeline = new Timeline({ authKey: undefined }).connected()
    timeline.answer('register', { AuthURL: 'https://ctl/register/a' })
    expect(timeline.events).toEqual([{ kind: 'event', event: 'auth-url', url: 'https://ctl/register/a' }])
    expect(timeline.requests('register')[1]?.body.Followup).toBe('https://ctl/register/a')
    timeline.turnTo(6 * 3_600_000)
    expect(timeline.troubles).toEqual([])
    timeline.answer('register', {})
    expect(timeline.events.at(-1)?.event).toBe('registered')
  })

  test('control 18: another page replaces the first, the same page is asked for again after a while', () => {
    const timeline = new Timeline({ authKey: undefined }).connected()
    timeline.answer('register', { AuthURL: 'https://ctl/register/a' })
    timeline.answer('register', { AuthURL: 'https://ctl/register/b' })
    expect(timeline.events.map((event) => event.event === 'auth-url' && event.url)).toEqual([
      'https://ctl/register/a',
      'https://ctl/register/b',
    ])
    timeline.answer('register', { AuthURL: 'https://ctl/register/b' })
    expect(timeline.requests('register')).toHaveLength(3)
    timeline.turnTo(1000)
    expect(timeline.requests('register')).toHaveLength(4)
    expect(timeline.events).toHaveLength(2)
  })

  test('control 17: a connection that breaks while a person is awaited asks with the same followup', () => {
    const timeline = new Timeline({ authKey: undefined }).connected()
    timeline.answer('register', { AuthURL: 'https://ctl/register/a' })
    timeline.client.handleDisconnected(new ControlError('ERR_CONTROL_LOST', 'lost'), timeline.now)
    timeline.turnTo(1000)
    timeline.client.handleConnected(timeline.now)
    timeline.take()
    expect(timeline.requests('register').at(-1)?.body.Followup).toBe('https://ctl/register/a')
  })

  test('a login page that is neither https nor printable is not shown', () => {
    for (const url of ['http://ctl/a', 'javascript:alert(1)', 'https://ctl/\u001b[2J', 'https://ctl/ a']) {
      const timeline = new Timeline({ authKey: undefined }).connected()
      timeline.answer('register', { AuthURL: url })
      expect(timeline.events.map((event) => event.event)).toEqual(['trouble'])
    }
    const plain = new Timeline({ authKey: undefined, allowHttp: true }).connected()
    plain.answer('register', { AuthURL: 'http://ctl/a' })
    expect(plain.events.map((event) => event.event)).toEqual(['auth-url'])
  })

  test('control 14: a refusal stops the client, its sentence freed of terminal codes', () => {
    const timeline = new Timeline().connected()
    timeline.answer('register', { Error: 'authkey\u001b[31m revoked' })
    const trouble = timeline.events.at(-1)
    expect(trouble?.event === 'trouble' && trouble.error.message).toBe('authkey [31m revoked')
    expect(timeline.client.stopped).toBe(true)
    expect(timeline.client.pollTimeout()).toBe(Infinity)
    expect(timeline.outputs.at(-1)?.kind).toBe('disconnect')
  })

  test('control 15: a version that is too old is told as such', () => {
    const timeline = new Timeline().connected()
    timeline.refuse(timeline.requests('register')[0]!.id, 400, 'unsupported client version')
    expect(timeline.troubles).toEqual([{ code: 'ERR_CONTROL_VERSION', retryIn: Infinity }])
  })

  test('control 25: a renewed key that is called expired too is a confused server, not a loop', () => {
    const timeline = new Timeline().connected()
    timeline.answer('register', { NodeKeyExpired: true })
    timeline.answer('register', { NodeKeyExpired: true })
    expect(timeline.requests('register')).toHaveLength(2)
    expect(timeline.troubles[0]?.code).toBe('ERR_CONTROL_PROTOCOL')
    expect(timeline.client.nodeKey).not.toEqual(NODE_KEY)
  })

  test('a new node key is kept before control hears of it; where it cannot be, the old one is tried again', () => {
    const timeline = new Timeline().connected()
    timeline.keeps = false
    timeline.answer('register', { NodeKeyExpired: true })
    const [first] = timeline.requests('register')
    expect(timeline.requests('register')).toHaveLength(1)
    expect(timeline.troubles).toEqual([
      { code: 'ERR_CONTROL_KEY_NOT_KEPT', retryIn: expect.any(Number) as number },
    ])
    expect(timeline.client.nodeKey).toEqual(NODE_KEY)
    timeline.keeps = true
    timeline.turnTo(1000)
    timeline.client.handleConnected(timeline.now)
    timeline.take()
    timeline.answer('register', { NodeKeyExpired: true })
    const keys = timeline.requests('register').map(({ body }) => body.NodeKey)
    expect(keys).toEqual([first?.body.NodeKey, first?.body.NodeKey, expect.any(String)])
    expect(keys[2]).not.toBe(first?.body.NodeKey)
    expect(timeline.requests('register')[2]?.body.OldNodeKey).toBe(first?.body.NodeKey)
  })

  test.each<[string, Partial<RegisterResponse>]>([
    ['does not know', { AuthURL: 'https://ctl/a' }],
    ['refuses', { Error: 'authkey already used' }],
    ['calls expired', { NodeKeyExpired: true }],
  ])('a key that control %s gives way to the one that was kept to follow it', (_, answer) => {
    const nextNodeKey = new Uint8Array(32).fill(0x48)
    const timeline = new Timeline({ nextNodeKey }).connected()
    timeline.answer('register', answer)
    timeline.answer('register', {})
    expect(timeline.events).toMatchObject([
      { event: 'registered', nodeKey: nextNodeKey, oldNodeKey: NODE_KEY },
    ])
    expect(timeline.outputs.some(({ kind }) => kind === 'keep')).toBe(false)
  })

  test('a key that control takes needs no other, and one that was to follow it and has expired another', () => {
    const nextNodeKey = new Uint8Array(32).fill(0x48)
    const taken = new Timeline({ nextNodeKey }).following()
    expect(taken.client.nodeKey).toEqual(NODE_KEY)
    const both = new Timeline({ nextNodeKey }).connected()
    for (let i = 0; i < 2; i += 1) both.answer('register', { NodeKeyExpired: true })
    both.answer('register', {})
    expect(both.events).toMatchObject([{ event: 'registered', oldNodeKey: nextNodeKey }])
    expect(both.outputs.filter(({ kind }) => kind === 'keep')).toMatchObject([
      { nodeKey: both.client.nodeKey },
    ])
  })

  test('an answer that never comes is given up after two minutes', () => {
    const timeline = new Timeline().connected()
    timeline.turnTo(120_000)
    expect(timeline.troubles[0]?.code).toBe('ERR_CONTROL_UNREACHABLE')
    expect(timeline.outputs.some((output) => output.kind === 'cancel')).toBe(true)
  })

  test('an answer that is no JSON is trouble, however long it is', () => {
    const timeline = new Timeline().connected()
    const { id } = timeline.requests('register')[0]!
    timeline.client.handleResponse(id, 200, 0)
    for (let i = 0; i < 40; i += 1) timeline.client.handleData(id, new Uint8Array(1 << 16), 0)
    timeline.client.handleEnd(id, undefined, 0)
    timeline.take()
    expect(timeline.troubles[0]?.code).toBe('ERR_CONTROL_PROTOCOL')
  })
})

describe('following the map', () => {
  test('a first message that is no snapshot ends the stream; keep-alives before it do not', () => {
    const timeline = new Timeline().connected()
    timeline.answer('register', {})
    timeline.map({ KeepAlive: true })
    expect(timeline.troubles).toEqual([])
    timeline.feed({ PeersRemoved: [8] })
    expect(timeline.troubles[0]?.code).toBe('ERR_CONTROL_PROTOCOL')
  })

  test('control 30: silence of two minutes ends the stream, a keep-alive within it does not', () => {
    const timeline = new Timeline().following()
    timeline.turnTo(MAP_WATCHDOG - 1)
    timeline.feed({ KeepAlive: true })
    timeline.turnTo(2 * MAP_WATCHDOG - 2)
    expect(timeline.troubles).toEqual([])
    timeline.turnTo(2 * MAP_WATCHDOG)
    expect(timeline.troubles[0]?.code).toBe('ERR_CONTROL_SILENT')
    expect(timeline.events.at(-2)).toMatchObject({ event: 'following', following: false })
  })

  test('threat 26: a claimed length beyond the limit ends the stream at once', () => {
    const timeline = new Timeline().following()
    timeline.client.handleData(timeline.requests('map')[0]!.id, Uint8Array.of(255, 255, 255, 255), 0)
    timeline.take()
    expect(timeline.troubles[0]?.code).toBe('ERR_CONTROL_PROTOCOL')
  })

  test('the map stays while control is away', () => {
    const timeline = new Timeline().following()
    timeline.client.handleDisconnected(new ControlError('ERR_CONTROL_LOST', 'lost'), timeline.now)
    expect(timeline.client.map?.peers).toHaveLength(1)
  })

  test('control 42: a map refused with 404 leads back through the login', () => {
    const timeline = new Timeline().connected()
    timeline.answer('register', {})
    timeline.refuse(timeline.requests('map')[0]!.id, 404, 'node not found\n')
    expect(timeline.troubles[0]?.code).toBe('ERR_CONTROL_UNKNOWN_NODE')
    timeline.turnTo(1000)
    timeline.client.handleConnected(timeline.now)
    timeline.take()
    expect(timeline.requests('register')).toHaveLength(2)
  })

  test('control 26: the end of its own key is told once, and the stream stays for an admin to extend it', () => {
    const ends = { ...SNAPSHOT.Node!, KeyExpiry: new Date(NOW + 60_000).toISOString() }
    const timeline = new Timeline().following({ ...SNAPSHOT, Node: ends })
    timeline.turnTo(59_999)
    expect(timeline.troubles).toEqual([])
    timeline.turnTo(62_000)
    expect(timeline.troubles).toEqual([{ code: 'ERR_CONTROL_KEY_EXPIRED', retryIn: Infinity }])
    expect(timeline.client.map?.self.expired).toBe(true)
    timeline.feed({ Node: SNAPSHOT.Node! })
    expect(timeline.client.map?.self.expired).toBe(false)
    expect(timeline.troubles).toHaveLength(1)
  })

  test('threat 19: a peer whose key ends is marked without a word from control', () => {
    const peer = { ...SNAPSHOT.Peers![0]!, KeyExpiry: new Date(NOW + 5000).toISOString() }
    const timeline = new Timeline().following({ ...SNAPSHOT, Peers: [peer] })
    timeline.turnTo(7000)
    const last = timeline.events.at(-1)
    expect(last?.event === 'map' && last.changes).toMatchObject({ changed: [8], wireguard: true })
  })
})

describe('reporting', () => {
  test('control 31: changes during a report are sent together, after it', () => {
    const timeline = new Timeline().following()
    timeline.client.report({ endpoints: [{ endpoint: '192.0.2.1:1', type: 2 }] }, 0)
    timeline.client.report({ netInfo: { PreferredDERP: 900 } }, 0)
    timeline.take()
    expect(timeline.requests('report')).toHaveLength(1)
    timeline.refuse(timeline.requests('report')[0]!.id, 200)
    expect(timeline.requests('report')).toHaveLength(2)
    expect(timeline.requests('report')[1]?.body).toMatchObject({
      Endpoints: ['192.0.2.1:1'],
      EndpointTypes: [2],
      Hostinfo: { Hostname: 'a', NetInfo: { PreferredDERP: 900 } },
    })
    timeline.refuse(timeline.requests('report')[1]!.id, 200)
    timeline.client.report({ netInfo: { PreferredDERP: 900 } }, 0)
    timeline.take()
    expect(timeline.requests('report')).toHaveLength(2)
  })

  test('what is reported before the first map waits for it', () => {
    const timeline = new Timeline()
    timeline.client.report({ endpoints: [{ endpoint: '192.0.2.1:1' }] }, 0)
    timeline.following()
    expect(timeline.requests('report')[0]?.body.Endpoints).toEqual(['192.0.2.1:1'])
    expect(timeline.requests('map')[0]?.body.DiscoKey).toBe(`discokey:${'17'.repeat(32)}`)
  })

  test('a report that fails is sent again, a little later', () => {
    const timeline = new Timeline().following()
    timeline.refuse(timeline.requests('report')[0]!.id, 500)
    expect(timeline.requests('report')).toHaveLength(1)
    timeline.turnTo(500)
    expect(timeline.requests('report')).toHaveLength(2)
    expect(timeline.troubles).toEqual([])
  })

  test('after a reconnect control is told again', () => {
    const timeline = new Timeline().following()
    timeline.refuse(timeline.requests('report')[0]!.id, 200)
    timeline.client.handleDisconnected(new ControlError('ERR_CONTROL_LOST', 'lost'), timeline.now)
    timeline.turnTo(1000)
    timeline.client.handleConnected(timeline.now)
    timeline.take()
    expect(timeline.requests('report')).toHaveLength(2)
  })
})

describe('trying again', () => {
  test('waits double up to half a minute, never quite the same, and begin anew after a success', () => {
    const backoff = new Backoff(seededRandom(3))
    const waits = Array.from({ length: 12 }, () => backoff.next())
    expect(waits[0]).toBeLessThanOrEqual(400)
    expect(waits[0]).toBeGreaterThanOrEqual(200)
    expect(Math.max(...waits)).toBeLessThanOrEqual(MAX_RETRY_DELAY)
    expect(waits.at(-1)).toBeGreaterThanOrEqual(MAX_RETRY_DELAY / 2)
    backoff.reset()
    expect(backoff.next()).toBeLessThanOrEqual(400)
  })

  test('a server that ends every stream at once is met ever more slowly', () => {
    const timeline = new Timeline().following()
    for (let i = 0; i < 8; i += 1) {
      timeline.client.handleEnd(timeline.requests('map').at(-1)!.id, undefined, timeline.now)
      timeline.take()
      timeline.turnTo(timeline.now + timeline.troubles.at(-1)!.retryIn)
      timeline.client.handleConnected(timeline.now)
      timeline.take()
      timeline.map(SNAPSHOT)
    }
    expect(timeline.troubles.at(-1)!.retryIn).toBeGreaterThan(10_000)
    timeline.turnTo(timeline.now + STEADY_AFTER)
    timeline.client.handleEnd(timeline.requests('map').at(-1)!.id, undefined, timeline.now)
    timeline.take()
    expect(timeline.troubles.at(-1)!.retryIn).toBeLessThanOrEqual(400)
  })

  test('an attempt that hangs is given up', () => {
    const timeline = new Timeline()
    timeline.client.start(0)
    timeline.take()
    timeline.turnTo(15_000)
    expect(timeline.troubles[0]?.code).toBe('ERR_CONTROL_UNREACHABLE')
    expect(kinds(timeline)).toEqual(['connect', 'disconnect', 'trouble'])
    timeline.turnTo(16_000)
    expect(kinds(timeline).at(-1)).toBe('connect')
  })

  test('hurrying skips the wait', () => {
    const timeline = new Timeline()
    timeline.client.start(0)
    timeline.take()
    timeline.client.handleConnectFailed(new ControlError('ERR_CONTROL_UNREACHABLE', 'x'), 0)
    timeline.take()
    timeline.client.hurry(0)
    timeline.take()
    expect(kinds(timeline)).toEqual(['connect', 'disconnect', 'trouble', 'connect'])
  })

  test('threat 30: a changed server key is not tried again', () => {
    const timeline = new Timeline()
    timeline.client.start(0)
    timeline.take()
    timeline.client.handleConnectFailed(new ControlError('ERR_CONTROL_KEY_CHANGED', 'x'), 0)
    timeline.take()
    expect(timeline.troubles).toEqual([{ code: 'ERR_CONTROL_KEY_CHANGED', retryIn: Infinity }])
    expect(timeline.client.stopped).toBe(true)
  })

  test('threat 30: one that stands in the way for a while does not keep out a node that was in', () => {
    const timeline = new Timeline().following()
    timeline.client.handleDisconnected(new ControlError('ERR_CONTROL_LOST', 'lost'), timeline.now)
    for (const code of ['ERR_CONTROL_KEY_CHANGED', 'ERR_CONTROL_VERSION'] as const) {
      timeline.take()
      timeline.turnTo(timeline.now + timeline.troubles.at(-1)!.retryIn)
      timeline.client.handleConnectFailed(new ControlError(code, 'x'), timeline.now)
      timeline.take()
      expect(timeline.troubles.at(-1)).toMatchObject({ code, retryIn: expect.any(Number) as number })
      expect(timeline.troubles.at(-1)!.retryIn).toBeLessThanOrEqual(MAX_RETRY_DELAY)
      expect(timeline.client.stopped).toBe(false)
    }
    timeline.turnTo(timeline.now + MAX_RETRY_DELAY)
    timeline.client.handleConnected(timeline.now)
    timeline.take()
    expect(timeline.requests('map')).toHaveLength(2)
  })

  test('words after the end change nothing', () => {
    const timeline = new Timeline().following()
    timeline.client.close()
    const before = timeline.take().length
    timeline.feed({ PeersRemoved: [8] })
    timeline.client.handleConnected(1)
    timeline.client.report({ endpoints: [] }, 1)
    timeline.client.logout(1)
    timeline.client.handleTimeout(1e9)
    expect(timeline.take()).toEqual([])
    expect(before).toBe(2)
  })
})

describe('what control asks for', () => {
  const ask = (timeline: Timeline, request: object): void =>
    timeline.feed({ KeepAlive: true, PingRequest: { URL: '', ...request } })

  test('control 58: the same question is answered once, also on a keep-alive', () => {
    const timeline = new Timeline().following()
    ask(timeline, { URL: 'https://ctl/ping?id=1' })
    ask(timeline, { URL: 'https://ctl/ping?id=1' })
    expect(timeline.outputs.filter((output) => output.kind === 'head')).toEqual([
      { kind: 'head', url: 'https://ctl/ping?id=1' },
    ])
  })

  test('a question of a kind only the owner can answer is handed on', () => {
    const timeline = new Timeline().following()
    ask(timeline, { URL: 'https://unused/p', Types: 'disco', IP: '100.64.0.8' })
    expect(timeline.events.at(-1)).toMatchObject({
      event: 'ping',
      request: { Types: 'disco', IP: '100.64.0.8' },
    })
  })

  test('a c2n question for an unknown path, or none at all, gets a polite no', () => {
    const timeline = new Timeline().following()
    ask(timeline, { URL: 'https://unused/a', Types: 'c2n', Payload: btoa('GET /nope HTTP/1.1\r\n\r\n') })
    ask(timeline, { URL: 'https://unused/b', Types: 'c2n', Payload: '%%%' })
    const replies = timeline.outputs.flatMap((output) =>
      output.kind === 'request' && output.path.length === 2
        ? [new TextDecoder().decode(output.body).split('\r\n')[0]]
        : [],
    )
    expect(replies).toEqual(['HTTP/1.1 400 Bad Request', 'HTTP/1.1 400 Bad Request'])
  })

  test('a c2n question is answered by the owner, who hears all of it', () => {
    const calls: ControlCall[] = []
    const answerCall = (call: ControlCall): CallAnswer => {
      calls.push(call)
      return { status: 405, type: 'application/json', body: '"no"' }
    }
    const timeline = new Timeline({ answerCall }).following()
    const Payload = btoa('PUT /debug/x?a=1?b HTTP/1.1\r\nHost: y\r\n\r\nbody')
    ask(timeline, { URL: 'https://unused/a', Types: 'c2n', Payload })
    ask(timeline, { URL: 'https://unused/b', Types: 'c2n', Payload: btoa('GET /echo HTTP/1.1\r\n\r\n') })
    const replies = timeline.outputs.flatMap((output) =>
      output.kind === 'request' && output.path.length === 2 ? [new TextDecoder().decode(output.body)] : [],
    )
    expect(calls).toEqual([
      { method: 'PUT', path: '/debug/x', query: 'a=1?b', body: new TextEncoder().encode('body') },
    ])
    expect(replies).toEqual([
      'HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n"no"',
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n',
    ])
  })

  test('a page is offered once, and only if it is https', () => {
    const timeline = new Timeline().following()
    timeline.feed({ PopBrowserURL: 'https://ctl/page' })
    timeline.feed({ PopBrowserURL: 'https://ctl/page' })
    timeline.feed({ PopBrowserURL: 'file:///etc/passwd' })
    expect(timeline.events.filter((event) => event.event === 'browse')).toEqual([
      { kind: 'event', event: 'browse', url: 'https://ctl/page' },
    ])
  })
})

describe('logging out', () => {
  test('control 23: the stream is ended first, then the expiry is sent, then the client stops', () => {
    const timeline = new Timeline().following()
    timeline.client.logout(0)
    expect(timeline.take().map((output) => (output.kind === 'event' ? output.event : output.kind))).toEqual([
      'cancel',
      'following',
      'request',
    ])
    expect(timeline.requests('register').at(-1)?.body).toMatchObject({
      Expiry: '1970-01-01T00:02:03Z',
      Followup: '',
    })
    timeline.answer('register', {})
    expect(timeline.events.at(-1)).toEqual({ kind: 'event', event: 'logged-out' })
    expect(timeline.client.stopped).toBe(true)
  })

  test('a server that cannot be reached is told to the owner, and the client goes on', () => {
    const timeline = new Timeline()
    timeline.client.start(0)
    timeline.client.logout(0)
    timeline.take()
    timeline.client.handleConnectFailed(new ControlError('ERR_CONTROL_UNREACHABLE', 'x'), 0)
    timeline.take()
    expect(timeline.events.at(-1)).toMatchObject({
      event: 'logged-out',
      error: { code: 'ERR_CONTROL_UNREACHABLE' },
    })
    timeline.turnTo(timeline.client.pollTimeout())
    timeline.client.handleConnected(timeline.now)
    timeline.take()
    expect(timeline.requests('register').at(-1)?.body).not.toHaveProperty('Expiry', '1970-01-01T00:02:03Z')
  })

  test('a server that refuses is told to the owner, and the client follows again', () => {
    const timeline = new Timeline().following()
    timeline.client.logout(0)
    timeline.take()
    timeline.refuse(timeline.requests('register').at(-1)!.id, 500)
    expect(timeline.events.at(-1)).toMatchObject({
      event: 'logged-out',
      error: { message: 'the control server refused the logout with status 500' },
    })
    const before = timeline.requests('map').length
    timeline.turnTo(timeline.client.pollTimeout())
    timeline.client.handleConnected(timeline.now)
    timeline.take()
    expect(timeline.requests('map')).toHaveLength(before + 1)
  })
})
