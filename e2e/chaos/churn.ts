// Nodes that come, go, move and talk, at any server that answers.
import { keyOf, LightClient } from '../swarm/light-client.ts'
import { unzip } from '../swarm/unpacked.ts'
import type { ControlProcess } from './control-process.ts'
import type { Known, SeenPeer, Witness } from './witness.ts'

/** How often something happens, milliseconds. */
const EVERY = 25
const RETRY_AFTER = 300
const USER = 'ann'

type Peer = SeenPeer & { readonly ID: number }
interface Frame {
  readonly Node?: Peer
  readonly Peers?: readonly Peer[]
  readonly PeersChanged?: readonly Peer[]
  readonly PeersRemoved?: readonly number[]
  readonly PeersChangedPatch?: readonly ({ readonly NodeID: number } & Partial<SeenPeer>)[]
}

/** A node under churn. */
class ChurnNode {
  readonly client: LightClient
  known: Known | undefined
  peers = new Map<number, Peer>()
  isFollowing = false
  isBusy = false

  constructor(name: string) {
    this.client = new LightClient(name)
  }
}

/** All nodes under churn. */
export class Churn {
  readonly #servers: readonly ControlProcess[]
  readonly #witness: Witness
  readonly #nodes = new Set<ChurnNode>()
  #stopped = true
  #running: Promise<void> | undefined
  #made = 0
  #port = 1

  constructor(servers: readonly ControlProcess[], witness: Witness) {
    this.#servers = servers
    this.#witness = witness
  }

  /** Makes the nodes, and begins. */
  async begin(count: number): Promise<void> {
    await this.#persist(() => this.#admin({ verb: 'users create', name: USER }))
    const waiting = Array.from({ length: count }, () => this.#make())
    const one = async (): Promise<void> => {
      for (let node = waiting.pop(); node; node = waiting.pop()) await this.#bringIn(node)
    }
    await Promise.all(Array.from({ length: 16 }, one))
    this.#resume()
  }

  /** Holds everything still until all nodes are connected and all of them see what was acknowledged; then goes on. */
  async rest(limit: number): Promise<void> {
    await this.#pause()
    const end = Date.now() + limit
    let wrong: readonly string[] = []
    do {
      await sleep(250)
      wrong = [...this.#nodes].flatMap((node) => {
        const { name = '', nodeKey = '' } = node.known ?? {}
        if (!node.isFollowing) return [`${name} is not connected`]
        return this.#witness.atRest(nodeKey, node.peers)
      })
    } while (wrong.length > 0 && Date.now() < end)
    this.#witness.count('checks', this.#nodes.size)
    for (const each of wrong.slice(0, 5)) this.#witness.fault(`at rest: ${each}`)
    if (wrong.length > 5) this.#witness.fault(`at rest: and ${wrong.length - 5} more`)
    this.#resume()
  }

  /** Ends for good. */
  async end(): Promise<void> {
    await this.#pause()
    for (const { client } of this.#nodes) {
      client.onGone = () => undefined
      client.close()
    }
    this.#nodes.clear()
  }

  #resume(): void {
    this.#stopped = false
    this.#running = this.#run()
  }

  async #pause(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    const underWay = new Set<Promise<void>>()
    while (!this.#stopped) {
      const idle = [...this.#nodes].filter((node) => !node.isBusy && node.isFollowing)
      const node = idle[Math.floor(Math.random() * idle.length)]
      if (node) {
        const work = this.#disturb(node).finally(() => underWay.delete(work))
        underWay.add(work)
      }
      await sleep(EVERY)
    }
    await Promise.all(underWay)
  }

  async #disturb(node: ChurnNode): Promise<void> {
    node.isBusy = true
    const dice = Math.random()
    if (dice < 0.8) await this.#move(node)
    else if (dice < 0.95) {
      this.#witness.count('reconnects')
      node.client.close()
    } else await this.#replace(node)
    node.isBusy = false
  }

  /** A node tells another endpoint. */
  async #move(node: ChurnNode): Promise<void> {
    const { known } = node
    if (!known) return
    const endpoints = [`198.51.100.7:${(this.#port = (this.#port % 60_000) + 1)}`]
    known.maybe.add(endpoints.join())
    const taken = await node.client.tell(endpoints).catch(() => false)
    if (!taken) return this.#witness.count('refused')
    this.#witness.count('updates')
    known.endpoints = endpoints
    known.maybe.clear()
  }

  /** A node is deleted, and another comes by a key of its own. */
  async #replace(node: ChurnNode): Promise<void> {
    const { known } = node
    if (!known?.address) return
    known.gone = true
    const deleted = await this.#admin({ verb: 'nodes delete', node: known.address.split('/')[0] }).catch(
      () => undefined,
    )
    if (deleted === undefined) {
      // It may be deleted or not: it is taken out, and nobody says anything of it any more.
      this.#witness.count('refused')
    } else {
      known.deleted = true
      this.#witness.count('deletions')
    }
    this.#nodes.delete(node)
    node.client.onGone = () => undefined
    node.client.close()
    await this.#bringIn(this.#make())
  }

  #make(): ChurnNode {
    return new ChurnNode(`node-${(this.#made += 1)}`)
  }

  /** Registers a node by a single-use key, and has it follow. */
  async #bringIn(node: ChurnNode): Promise<void> {
    const made = await this.#persist(() => this.#admin({ verb: 'preauthkeys create', user: USER }))
    const { key } = made as { key: string }
    await this.#persist(async () => {
      await node.client.connect(await keyOf(this.#anyServer().url))
      const { MachineAuthorized, Error: refusal } = await node.client.register(key)
      if (!MachineAuthorized) {
        // The answer to an earlier try may have been lost: then the key is used, and by this very node key.
        this.#witness.fault(`${node.client.hostname} was refused: ${refusal}`)
      }
    })
    node.known = this.#witness.registered(node.client.hostname, node.client.nodeKey)
    this.#nodes.add(node)
    this.#follow(node)
  }

  #follow(node: ChurnNode): void {
    const { client } = node
    client.onMap = (message) => this.#take(node, JSON.parse(unzip(message).toString()) as Frame)
    client.onGone = () => {
      node.isFollowing = false
      void this.#comeBack(node)
    }
    if (client.isConnected) client.follow()
    else void this.#comeBack(node)
  }

  async #comeBack(node: ChurnNode): Promise<void> {
    await sleep(Math.random() * RETRY_AFTER)
    if (!this.#nodes.has(node) || node.client.isConnected) return
    try {
      await node.client.connect(await keyOf(this.#anyServer().url))
      node.client.follow()
    } catch {
      await sleep(RETRY_AFTER)
      void this.#comeBack(node)
    }
  }

  #take(node: ChurnNode, frame: Frame): void {
    const { nodeKey } = node.client
    if (frame.Node && frame.Node.Key === nodeKey) this.#witness.addressed(nodeKey, frame.Node.Addresses?.[0])
    if (frame.Peers) {
      node.peers = new Map(frame.Peers.map((peer) => [peer.ID, peer]))
      this.#witness.snapshot(nodeKey, node.peers)
      node.isFollowing = true
      return
    }
    if (frame.PeersChanged ?? frame.PeersRemoved ?? frame.PeersChangedPatch) this.#witness.count('deltas')
    for (const id of frame.PeersRemoved ?? []) {
      const peer = node.peers.get(id)
      if (peer) this.#witness.lost(node.client.hostname, peer)
      node.peers.delete(id)
    }
    for (const peer of frame.PeersChanged ?? []) node.peers.set(peer.ID, peer)
    for (const { NodeID, ...change } of frame.PeersChangedPatch ?? []) {
      const peer = node.peers.get(NodeID)
      if (peer) node.peers.set(NodeID, { ...peer, ...change })
    }
  }

  #admin(command: object): Promise<unknown> {
    return this.#anyServer().admin(command)
  }

  #anyServer(): ControlProcess {
    return this.#servers[Math.floor(Math.random() * this.#servers.length)] as ControlProcess
  }

  /** Tries until it works: some server is always about to be killed. */
  async #persist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work()
      } catch {
        await sleep(RETRY_AFTER)
      }
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
