// The server side of a peer relay, by hand-made clients: whom it believes, what it forwards, what it forgets.
import { generatePrivateKey, openBox, precomputeBox, publicKeyOf, sealBox } from '@mesh/keys'
import { drain, seededRandom } from '@mesh/sansio'
import {
  decodeDisco,
  decodeDiscoEnvelope,
  type DiscoMessage,
  encodeDisco,
  encodeDiscoEnvelope,
  type RelayEndpoint,
} from '@mesh/wire/disco'
import { decodeGeneve, encodeGeneve, GENEVE_DISCO, GENEVE_WIREGUARD } from '@mesh/wire/geneve'
import { type Endpoint, formatEndpoint } from '@mesh/wire/ip'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { PeerRelay } from '../../src/index.ts'
import { MAX_SESSIONS, MAX_SESSIONS_PER_ASKER } from '../../src/peer-relay/peer-relay.ts'
import { sortedPair } from '../../src/peer-relay/tunnel-request.ts'
import { at, wireguard } from '../support.ts'

const A_AT = at('198.51.100.1:1000')
const B_AT = at('203.0.113.2:2000')
const ZERO = new Uint8Array(32)
/** Who asks for tunnels. */
const ASKER = 7

class Client {
  readonly #private: Uint8Array
  readonly disco: Uint8Array
  readonly at: Endpoint

  constructor(seed: number, endpoint: Endpoint) {
    this.#private = generatePrivateKey(seededRandom(seed))
    this.disco = publicKeyOf(this.#private)
    this.at = endpoint
  }

  /** Seals a message for the relay, as a control packet. */
  control(message: DiscoMessage, vni: number): Uint8Array {
    const nonce = seededRandom(1)(24)
    const box = sealBox(precomputeBox(this.#private, relay.discoKey)!, nonce, encodeDisco(message))
    const payload = encodeDiscoEnvelope({ senderDisco: this.disco, nonce, box })
    return encodeGeneve({ protocol: GENEVE_DISCO, control: true, vni, payload })
  }

  open(bytes: Uint8Array): DiscoMessage | undefined {
    const { nonce, box } = decodeDiscoEnvelope(decodeGeneve(bytes)!.payload)!
    return decodeDisco(openBox(precomputeBox(this.#private, relay.discoKey)!, nonce, box)!)
  }
}

let relay: PeerRelay
let sent: { to: string; bytes: Uint8Array }[]
let now: number
let a: Client
let b: Client
let tunnel: RelayEndpoint

beforeEach(() => {
  now = 1_000
  sent = []
  relay = new PeerRelay({
    underlay: { sendDatagram: (to, bytes) => sent.push({ to: formatEndpoint(to), bytes: bytes.slice() }) },
    random: seededRandom(7),
    now,
    staticEndpoints: [at('192.0.2.50:7777')],
  })
  a = new Client(1, A_AT)
  b = new Client(2, B_AT)
  tunnel = relay.grant(sortedPair(a.disco, b.disco), ASKER, now)!
})

function tell(
  client: Client,
  from: Endpoint,
  changes: Partial<Extract<DiscoMessage, { kind: 'relay-bind' }>> = {},
): DiscoMessage | undefined {
  const remoteDisco = client === a ? b.disco : a.disco
  const question = {
    kind: 'relay-bind',
    vni: tunnel.vni,
    generation: 5,
    remoteDisco,
    challenge: ZERO,
  } as const
  relay.handleDatagram(client.control({ ...question, ...changes }, tunnel.vni), from, now)
  const [output] = drain(relay)
  return output && client.open(output.bytes)
}

function answer(client: Client, from: Endpoint, challenge: Uint8Array, generation = 5): void {
  const remoteDisco = client === a ? b.disco : a.disco
  const message = { kind: 'relay-answer', vni: tunnel.vni, generation, remoteDisco, challenge } as const
  relay.handleDatagram(client.control(message, tunnel.vni), from, now)
}

function bindClient(client: Client, from = client.at, generation = 5): void {
  const challenge = tell(client, from, { generation })
  if (challenge?.kind !== 'relay-challenge') throw new Error('no challenge')
  answer(client, from, challenge.challenge, generation)
}

function data(...bytes: number[]): Uint8Array {
  const header = { protocol: GENEVE_WIREGUARD, control: false, vni: tunnel.vni }
  return encodeGeneve({ ...header, payload: wireguard(...bytes) })
}

describe('a tunnel', () => {
  test('D19: of the same two disco keys is the same again, in either order; of two others another', () => {
    expect(relay.grant(sortedPair(b.disco, a.disco), ASKER, now)).toEqual(tunnel)
    expect(tunnel).toMatchObject({
      vni: 1,
      lamportId: 1n,
      bindLifetime: 30_000,
      steadyStateLifetime: 300_000,
    })
    const other = relay.grant(sortedPair(a.disco, new Client(3, A_AT).disco), ASKER, now)
    expect(other).toMatchObject({ vni: 2, lamportId: 2n })
  })

  test('D19: forwards packets unmodified, header and all, once both sides are bound, and not before', () => {
    bindClient(a)
    relay.handleDatagram(data(1), A_AT, now)
    expect(sent).toEqual([])
    bindClient(b)
    relay.handleDatagram(data(2), A_AT, now)
    relay.handleDatagram(data(3), B_AT, now)
    expect(sent).toEqual([
      { to: '203.0.113.2:2000', bytes: data(2) },
      { to: '198.51.100.1:1000', bytes: data(3) },
    ])
    expect(relay.sessions[0]?.clients.map(({ packets }) => packets)).toEqual([1, 1])
  })

  test('D19: takes nothing from any other source', () => {
    bindClient(a)
    bindClient(b)
    relay.handleDatagram(data(1), at('198.51.100.1:1001'), now)
    relay.handleDatagram(data(1), at('192.0.2.66:6'), now)
    expect(sent).toEqual([])
    expect(relay.drops.unbound).toBe(2)
  })

  test('D19: is gone after five minutes in which one side was silent, and its number is not', () => {
    bindClient(a)
    bindClient(b)
    for (let minute = 0; minute < 6; minute += 1) {
      now += 60_000
      relay.handleDatagram(data(1), A_AT, now)
      relay.handleTimeout(now)
    }
    expect(relay.sessions).toEqual([])
    relay.handleDatagram(data(2), A_AT, now)
    expect(relay.drops.unknownTunnel).toBe(1)
    expect(relay.grant(sortedPair(a.disco, b.disco), ASKER, now)).toMatchObject({ vni: 2, lamportId: 2n })
  })

  test('lives on while both sides are heard', () => {
    bindClient(a)
    bindClient(b)
    for (let minute = 0; minute < 20; minute += 1) {
      now += 60_000
      for (const from of [A_AT, B_AT]) relay.handleDatagram(data(1), from, now)
      relay.handleTimeout(now)
    }
    expect(relay.sessions).toHaveLength(1)
  })

  test('D19: is gone after 30 s when it was not bound', () => {
    bindClient(a)
    now += 30_001
    relay.handleTimeout(now)
    expect(relay.sessions).toEqual([])
  })

  test('follows a client that binds from another address; the old one works no more', () => {
    bindClient(a)
    bindClient(b)
    const moved = at('198.51.100.99:9')
    bindClient(a, moved, 6)
    relay.handleDatagram(data(1), A_AT, now)
    relay.handleDatagram(data(2), B_AT, now)
    expect(sent).toEqual([{ to: '198.51.100.99:9', bytes: data(2) }])
  })
})

describe('D19: silence answers', () => {
  test.each([
    ['a bind of generation 0', { generation: 0 }],
    ['a bind that names another number than its header', { vni: 77 }],
    ['a bind that names a stranger as the other side', { remoteDisco: ZERO }],
  ])('%s', (_what, changes) => {
    expect(tell(a, A_AT, changes)).toBeUndefined()
  })

  test('an answer with another challenge, of another generation, or from another address', () => {
    bindClient(b)
    const challenge = tell(a, A_AT)
    if (challenge?.kind !== 'relay-challenge') throw new Error('no challenge')
    const wrong = challenge.challenge.slice()
    wrong[0]! ^= 1
    answer(a, A_AT, wrong)
    answer(a, A_AT, challenge.challenge, 6)
    answer(a, at('192.0.2.66:6'), challenge.challenge)
    relay.handleDatagram(data(1), B_AT, now)
    expect(sent).toEqual([])
    expect(drain(relay)).toEqual([])
    answer(a, A_AT, challenge.challenge)
    relay.handleDatagram(data(1), B_AT, now)
    expect(sent).toHaveLength(1)
  })

  test('a challenge brought back twice', () => {
    bindClient(b)
    const challenge = tell(a, A_AT)
    if (challenge?.kind !== 'relay-challenge') throw new Error('no challenge')
    answer(a, A_AT, challenge.challenge)
    const elsewhere = at('198.51.100.99:9')
    answer(a, elsewhere, challenge.challenge)
    relay.handleDatagram(data(1), B_AT, now)
    expect(sent).toMatchObject([{ to: '198.51.100.1:1000' }])
  })

  test.each(['100.64.0.9:7', '127.0.0.1:7', '[fd7a:115c:a1e0::9]:7'])(
    'threat 32: a client at %s, through which packets would run in circles',
    (source) => {
      expect(tell(a, at(source))).toBeUndefined()
      expect(relay.drops.badControl).toBe(1)
    },
  )

  test('a stranger, and a client of another tunnel', () => {
    const stranger = new Client(9, A_AT)
    expect(tell(stranger, A_AT)).toBeUndefined()
    expect(relay.drops.badControl).toBe(1)
  })
})

describe('D19: played back', () => {
  test('binds from anywhere end no handshake under way', () => {
    bindClient(b)
    const question = { kind: 'relay-bind', vni: tunnel.vni, remoteDisco: b.disco, challenge: ZERO } as const
    const challenge = tell(a, A_AT, { generation: 6 })
    if (challenge?.kind !== 'relay-challenge') throw new Error('no challenge')
    for (let i = 1; i <= 100; i += 1) {
      const old = a.control({ ...question, generation: 5 }, tunnel.vni)
      relay.handleDatagram(old, at(`192.0.2.66:${i}`), now)
    }
    drain(relay)
    answer(a, A_AT, challenge.challenge, 6)
    relay.handleDatagram(data(1), B_AT, now)
    expect(sent).toMatchObject([{ to: '198.51.100.1:1000' }])
  })

  test('an answer does not fetch back a client that has gone elsewhere, not even with the bind before it', () => {
    bindClient(b)
    const challenge = tell(a, A_AT)
    if (challenge?.kind !== 'relay-challenge') throw new Error('no challenge')
    answer(a, A_AT, challenge.challenge)
    bindClient(a, at('198.51.100.99:9'), 6)
    expect(tell(a, A_AT)).not.toEqual(challenge)
    answer(a, A_AT, challenge.challenge)
    relay.handleDatagram(data(1), B_AT, now)
    expect(sent).toMatchObject([{ to: '198.51.100.99:9' }])
  })
})

test('a relay that does not know where it is grants nothing', () => {
  const lost = new PeerRelay({ underlay: { sendDatagram: () => undefined }, random: seededRandom(1), now })
  expect(lost.grant(sortedPair(a.disco, b.disco), ASKER, now)).toBeUndefined()
})

describe('a relay that is asked for more and more', () => {
  test('gives one peer so many tunnels at most, whatever keys it calls its own, and others theirs', () => {
    for (let i = 0; i < 2 * MAX_SESSIONS_PER_ASKER; i += 1) {
      relay.grant(sortedPair(seededRandom(2 * i + 100)(32), seededRandom(2 * i + 101)(32)), ASKER, now)
    }
    expect(relay.sessions).toHaveLength(MAX_SESSIONS_PER_ASKER)
    expect(relay.grant(sortedPair(ZERO, b.disco), ASKER + 1, now)).toBeDefined()
    expect(relay.grant(sortedPair(ZERO, a.disco), undefined, now)).toBeDefined()
  })

  test('does not let a peer crowd another out by naming its key', () => {
    for (let i = 0; i < MAX_SESSIONS_PER_ASKER; i += 1) {
      relay.grant(sortedPair(a.disco, seededRandom(i + 100)(32)), ASKER, now)
    }
    expect(relay.grant(sortedPair(a.disco, ZERO), ASKER + 1, now)).toBeDefined()
  })

  test('has room again as soon as tunnels that nobody has bound are over', () => {
    for (let i = 0; i < MAX_SESSIONS; i += 1) {
      relay.grant(sortedPair(b.disco, seededRandom(i + 100)(32)), undefined, now)
    }
    expect(relay.grant(sortedPair(a.disco, ZERO), ASKER, now)).toBeUndefined()
    now += 30_001
    expect(relay.grant(sortedPair(a.disco, ZERO), ASKER, now)).toBeDefined()
    expect(relay.sessions).toHaveLength(1)
  })
})

test('threat 32: damaged packets never throw, and no answer is larger than the question', () => {
  const bind = { kind: 'relay-bind', vni: 1, generation: 5, remoteDisco: b.disco, challenge: ZERO } as const
  const good = a.control(bind, tunnel.vni)
  const damaged = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.nat(good.length).map((cut) => good.subarray(0, cut)),
    fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 })).map(([index, flip]) => {
      const copy = good.slice()
      copy[index]! ^= flip
      return copy
    }),
    fc.constant(good),
  )
  fc.assert(
    fc.property(damaged, (bytes) => {
      relay.handleDatagram(bytes, A_AT, now)
      for (const output of drain(relay)) expect(output.bytes.length).toBeLessThanOrEqual(bytes.length)
    }),
  )
})
