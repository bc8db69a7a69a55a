// A topology come alive in the simulator: its network, its nodes, and control, which tells each node of the others.
import type { MagicSockEvent, RelayMap, RelayRegion } from '@mesh/magicsock'
import { answerStun, type SimEvent, type SimHost, SimNat, SimNet, type SimRelay } from '@mesh/simnet'
import type { IpAddress } from '@mesh/wire/ip'
import { type NodeWatch, SimNode } from './node.ts'
import type { Machine, Middlebox, Topology } from './topology.ts'

/** How long control takes to pass news on. */
export const CONTROL_DELAY = 100
/** When nodes know their endpoints well enough to be introduced. */
export const WARM_UP = 4_000

/** How a town is begun. */
export interface TownOptions {
  readonly seed: number
  readonly onEvent?: (event: SimEvent) => void
  readonly watch?: NodeWatch
  /** Whether nodes search for the ports of hard NATs. */
  readonly opensDoors?: boolean
  /** Whether nodes ping no path that serves without being asked. */
  readonly isSilent?: boolean
}

/** A live topology. */
export class Town {
  readonly net: SimNet
  readonly boxes: readonly SimNat[]
  readonly nodes: readonly SimNode[]
  readonly relays: ReadonlyMap<number, SimRelay>
  #introduced = false
  #addresses = 0

  constructor(
    topology: Topology,
    { seed, onEvent, watch = {}, opensDoors = false, isSilent = false }: TownOptions,
  ) {
    this.net = new SimNet({ seed, ...(onEvent ? { onEvent } : {}) })
    this.relays = new Map(topology.relays.map((latency, n) => [n + 1, this.net.relay({ latency })]))
    const relayMap = this.#openStunServers(topology.relays)
    const boxes: SimNat[] = []
    for (const box of topology.boxes) boxes.push(this.#build(box, boxes))
    this.boxes = boxes
    const listening: NodeWatch = {
      ...watch,
      onNews: (node, event) => {
        this.#tellControl(node, event)
        watch.onNews?.(node, event)
      },
    }
    this.nodes = topology.machines.map((machine, n) => {
      const { net, relays } = this
      const host = this.#settle(machine)
      const { mapsPorts } = machine
      const common = { net, relays, relayMap, opensDoors, isSilent }
      return new SimNode({ ...common, id: n + 1, host, mapsPorts }, listening)
    })
  }

  /** Lets every node look around, then tells all of all. */
  introduce(): void {
    this.net.clock.advanceBy(WARM_UP)
    this.#introduced = true
    for (const node of this.nodes) this.#tell(node)
  }

  /** Returns the node with this number. */
  node(id: number): SimNode {
    return this.nodes[id - 1]!
  }

  /** Plugs a node in elsewhere, which it notices. */
  move(node: SimNode, behind: number | undefined, families: Machine['families']): void {
    const place = behind === undefined ? this.net.internet : this.boxes[behind]!
    node.host.move(
      place,
      this.#addressesAt(() => place.nextAddress(), families),
    )
    node.moved()
  }

  /** Each relay has a STUN server of both families beside it, as far away as itself. */
  #openStunServers(latencies: readonly number[]): RelayMap {
    const regions = latencies.map((latency, n): RelayRegion => {
      const addresses = this.#addressesAt(() => this.net.internet.nextAddress(), 'both')
      const { port } = answerStun(this.net.host({ addresses, link: { latency: latency / 2 } }))
      const [ipv4, ipv6] = addresses
      const node = { name: `${n + 1}a`, hostName: 'relay.example', ipv4, ipv6, stunPort: port }
      return { id: n + 1, code: `r${n + 1}`, noMeasureNoHome: false, score: 1, nodes: [node] }
    })
    return new Map(regions.map((region) => [region.id, region]))
  }

  #build(box: Middlebox, others: readonly SimNat[]): SimNat {
    const { behind, portMapping, ...options } = box
    return this.net.nat({
      ...options,
      ...(behind === undefined ? {} : { behind: others[behind]! }),
      ...(portMapping === undefined ? {} : { portMapping }),
      link: { latency: 2 },
    })
  }

  #settle({ behind, families, latency }: Machine): SimHost {
    const place = behind === undefined ? this.net.internet : this.boxes[behind]!
    const addresses = this.#addressesAt(() => place.nextAddress(), families)
    return this.net.host({
      addresses,
      link: { latency },
      ...(place instanceof SimNat ? { behind: place } : {}),
    })
  }

  #addressesAt(nextAddress: () => IpAddress, families: Machine['families']): IpAddress[] {
    this.#addresses += 1
    const v6 = Uint8Array.of(
      0x20,
      0x01,
      0x0d,
      0xb8,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      this.#addresses >> 8,
      this.#addresses & 0xff,
    )
    return [...(families === 'ipv6' ? [] : [nextAddress()]), ...(families === 'ipv4' ? [] : [v6])]
  }

  #tellControl(node: SimNode, { event }: MagicSockEvent): void {
    if (this.#introduced && (event === 'endpoints' || event === 'home-relay')) this.#passOn(node)
  }

  /** News waits until its node can say them, and each of the others hear them. */
  #passOn(node: SimNode): void {
    this.#afterControl(() => {
      if (!node.host.isOnline) return this.#passOn(node)
      for (const other of this.nodes) if (other !== node) this.#tell(other)
    })
  }

  #tell(node: SimNode): void {
    if (!node.host.isOnline || node.clock.isAsleep) return this.#afterControl(() => this.#tell(node))
    node.setPeers(this.nodes.filter((other) => other !== node).map((other) => other.config()))
  }

  #afterControl(run: () => void): void {
    this.net.clock.at(this.net.clock.now() + CONTROL_DELAY, run)
  }
}
