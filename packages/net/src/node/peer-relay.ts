// This node as a peer relay, for as long as it is wished: opened, moved to another port and closed one after the other.
import type { RelayMap } from '@mesh/magicsock'
import { type MagicSockHandle, openPeerRelay, type PeerRelayHandle } from '@mesh/magicsock/node'
import { nodeCrypto } from '@mesh/noise/node'
import { explain } from './node-error.ts'
import type { NodeOptions } from './node-options.ts'

/** Runs the peer relay of one data side. */
export class PeerRelayHost {
  readonly #sock: Pick<MagicSockHandle, 'setPeerRelay'>
  readonly #options: Pick<NodeOptions, 'allowLoopback' | 'log'>
  #relay: PeerRelayHandle | undefined
  #relays: RelayMap = new Map()
  #turn: Promise<void> = Promise.resolve()
  #isClosed = false
  #trouble = ''

  constructor(
    sock: Pick<MagicSockHandle, 'setPeerRelay'>,
    options: Pick<NodeOptions, 'allowLoopback' | 'log'>,
  ) {
    this.#sock = sock
    this.#options = options
  }

  /** Takes the relay map, whose STUN servers say how this node looks from outside. */
  setRelays(relays: RelayMap): void {
    this.#relays = relays
    this.#relay?.setRelays(relays)
  }

  /** Why it does not relay though it is to, as a sentence; else empty. */
  get trouble(): string {
    return this.#trouble
  }

  /** Relays on this UDP port from now on; 0 for any, `undefined` for not at all. A port that cannot be had is {@link trouble}. */
  setPort(port: number | undefined): Promise<void> {
    this.#turn = this.#turn.then(() => this.#reopen(this.#isClosed ? undefined : port))
    return this.#turn
  }

  /** Relays no more, whatever is wished later. */
  close(): Promise<void> {
    this.#isClosed = true
    return this.setPort(undefined)
  }

  async #reopen(port: number | undefined): Promise<void> {
    this.#sock.setPeerRelay(undefined)
    await this.#relay?.close()
    this.#relay = undefined
    this.#trouble = ''
    if (port === undefined) return
    const { allowLoopback = false, log } = this.#options
    try {
      this.#relay = await openPeerRelay({ port, allowLoopback, x25519: nodeCrypto })
    } catch (error) {
      this.#trouble = `This node does not relay for its peers. ${explain(error).message}`
      return log?.('warn', this.#trouble)
    }
    this.#relay.setRelays(this.#relays)
    this.#sock.setPeerRelay(this.#relay)
    log?.('info', 'relaying for peers', { port: this.#relay.ports.v4 })
  }
}
