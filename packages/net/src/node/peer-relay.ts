// This node as a peer relay, for as long as it is wished: opened, moved to another port and closed one after the other.
import type { RelayMap } from '@mesh/magicsock'
import { type MagicSockHandle, openPeerRelay, type PeerRelayHandle } from '@mesh/magicsock/node'
import { nodeCrypto } from '@mesh/noise/node'
import type { NodeOptions } from './node-options.ts'

/** Runs the peer relay of one data side. */
export class PeerRelayHost {
  readonly #sock: MagicSockHandle
  readonly #options: Pick<NodeOptions, 'allowLoopback' | 'log'>
  #relay: PeerRelayHandle | undefined
  #relays: RelayMap = new Map()
  #turn: Promise<void> = Promise.resolve()

  constructor(sock: MagicSockHandle, options: Pick<NodeOptions, 'allowLoopback' | 'log'>) {
    this.#sock = sock
    this.#options = options
  }

  /** Takes the relay map, whose STUN servers say how this node looks from outside. */
  setRelays(relays: RelayMap): void {
    this.#relays = relays
    this.#relay?.setRelays(relays)
  }

  /** Relays on this UDP port from now on; 0 for any, `undefined` for not at all. A port in use is told to the log. */
  setPort(port: number | undefined): Promise<void> {
    this.#turn = this.#turn.then(() => this.#reopen(port))
    return this.#turn
  }

  async #reopen(port: number | undefined): Promise<void> {
    this.#sock.setPeerRelay(undefined)
    await this.#relay?.close()
    this.#relay = undefined
    if (port === undefined) return
    const { allowLoopback = false, log } = this.#options
    try {
      this.#relay = await openPeerRelay({ port, allowLoopback, x25519: nodeCrypto })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      return log?.('warn', `this node cannot relay for its peers: ${why}`)
    }
    this.#relay.setRelays(this.#relays)
    this.#sock.setPeerRelay(this.#relay)
    log?.('info', 'relaying for peers', { port: this.#relay.ports.v4 })
  }
}
