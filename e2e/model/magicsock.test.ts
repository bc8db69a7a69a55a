// Two nodes, a relay, and whatever may befall them: random histories, held against a model that knows only when
// the network was last disturbed.
import { SimNet, type SimRelay } from '@mesh/simnet'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { introduce, Node, regionOf } from './magicsock-support.ts'

/** A path is believed for so long after its last pong: this long a packet may go where nobody is any more. */
const TRUST = 6_500
/** By then a packet has arrived, whichever way it went. */
const TRAVEL = 200
/** After so long without disturbance, and with traffic, a direct path is found. */
const SETTLED = 30_000

/** What a history must expect. */
interface Model {
  /** When a way that had worked was taken away. */
  disturbedAt: number
  /** When the relay last came up; `Infinity` while it is down. */
  relayUpSince: number
  udpUp: boolean
}

/** The machines and their network. */
interface Real {
  readonly net: SimNet
  readonly nodes: readonly [Node, Node]
  readonly relay: SimRelay
  sent: number
}

type Command = fc.Command<Model, Real>

function begin(seed: number): { model: Model; real: Real } {
  const net = new SimNet({ seed })
  const relays = regionOf([net.stunServer()])
  const relay = net.relay()
  const host = () => net.host({ behind: net.nat() })
  const one = new Node({ id: 1, net, host: host(), relay, relays })
  const two = new Node({ id: 2, net, host: host(), relay, relays })
  introduce(net, one, two)
  const model = { disturbedAt: -Infinity, relayUpSince: 0, udpUp: true }
  return { model, real: { net, nodes: [one, two], relay, sent: 0 } }
}

/** Sends one packet and returns whether it had to arrive, and did. */
function sendOne({ net, nodes, ...real }: Real, from: 0 | 1, model: Model): boolean {
  const to = from === 0 ? 1 : 0
  const mustArrive = model.relayUpSince <= net.clock.now() && net.clock.now() - model.disturbedAt > TRUST
  nodes[from].send(nodes[to].id, real.sent)
  net.clock.advanceBy(TRAVEL)
  return !mustArrive || nodes[to].arrivals.some((arrival) => arrival.number === real.sent)
}

class Send implements Command {
  readonly from: 0 | 1

  constructor(from: 0 | 1) {
    this.from = from
  }

  check(): boolean {
    return true
  }

  run(model: Model, real: Real): void {
    real.sent += 1
    if (!sendOne(real, this.from, model)) throw new Error(`packet ${real.sent} is lost`)
  }

  toString(): string {
    return `send from ${this.from}`
  }
}

class Wait implements Command {
  readonly duration: number

  constructor(duration: number) {
    this.duration = duration
  }

  check(): boolean {
    return true
  }

  run(_model: Model, { net }: Real): void {
    net.clock.advanceBy(this.duration)
  }

  toString(): string {
    return `wait ${this.duration}`
  }
}

class SetUdp implements Command {
  readonly up: boolean

  constructor(up: boolean) {
    this.up = up
  }

  check(model: Readonly<Model>): boolean {
    return model.udpUp !== this.up
  }

  run(model: Model, { net, nodes }: Real): void {
    for (const node of nodes) node.host.link.up = this.up
    model.udpUp = this.up
    if (!this.up) model.disturbedAt = net.clock.now()
  }

  toString(): string {
    return this.up ? 'udp up' : 'udp down'
  }
}

class SetRelay implements Command {
  readonly up: boolean

  constructor(up: boolean) {
    this.up = up
  }

  check(model: Readonly<Model>): boolean {
    return (model.relayUpSince !== Infinity) !== this.up
  }

  run(model: Model, { net, relay }: Real): void {
    relay.up = this.up
    model.relayUpSince = this.up ? net.clock.now() : Infinity
  }

  toString(): string {
    return this.up ? 'relay up' : 'relay down'
  }
}

class Move implements Command {
  readonly who: 0 | 1

  constructor(who: 0 | 1) {
    this.who = who
  }

  check(): boolean {
    return true
  }

  run(model: Model, { net, nodes }: Real): void {
    nodes[this.who].host.move(net.nat())
    nodes[this.who].moved()
    model.disturbedAt = net.clock.now()
  }

  toString(): string {
    return `move ${this.who}`
  }
}

/** Everything is put right; then both talk, and must be direct in the end. */
function settle(model: Model, real: Real): void {
  for (const command of [new SetUdp(true), new SetRelay(true)])
    if (command.check(model)) command.run(model, real)
  for (let t = 0; t < SETTLED; t += 2 * TRAVEL) {
    for (const from of [0, 1] as const) new Send(from).run(model, real)
  }
}

const history = fc.commands(
  [
    fc.constantFrom(0 as const, 1 as const).map((from) => new Send(from)),
    fc
      .oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 150_000 }))
      .map((ms) => new Wait(ms)),
    fc.boolean().map((up) => new SetUdp(up)),
    fc.boolean().map((up) => new SetRelay(up)),
    fc.constantFrom(0 as const, 1 as const).map((who) => new Move(who)),
  ],
  { maxCommands: 40 },
)

test('D3, D8, D16: with a relay nothing is lost but in the 6.5 s after a path broke; undisturbed all go direct', () => {
  fc.assert(
    fc.property(fc.nat(), history, (seed, commands) => {
      const { model, real } = begin(seed)
      fc.modelRun(() => ({ model, real }), commands)
      settle(model, real)
      expect(real.nodes.map((node, i) => node.isDirect(2 - i))).toEqual([true, true])
    }),
    { numRuns: 60 },
  )
})

test('D8: a way that loses a fifth of everything is still the direct way most of the time', () => {
  const { model, real } = begin(7)
  settle(model, real)
  for (const node of real.nodes) node.host.link.loss = 0.1
  let direct = 0
  for (let i = 0; i < 600; i++) {
    real.nodes[0].send(2, i)
    real.net.clock.advanceBy(500)
    if (real.nodes[0].isDirect(2)) direct += 1
  }
  expect(direct / 600).toBeGreaterThan(0.8)
})
