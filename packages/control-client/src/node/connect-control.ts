// The shell around the control client: real time, real sockets, nothing decided here.
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { NetworkMap } from '@mesh/netmap'
import type { Crypto } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { type Clock, drive, type RandomSource } from '@mesh/sansio'
import { reasonOf, systemClock, systemRandom } from '@mesh/sansio/node'
import { CAPABILITY_VERSION } from '@mesh/wire/control'
import type { ControlClientOptions } from '../client-options.ts'
import { ControlClient } from '../control-client.ts'
import { ControlError } from '../errors.ts'
import type { ControlEvent, ControlOutput } from '../output.ts'
import type { ControlQuestion } from '../question.ts'
import type { Report } from '../reporter.ts'
import { dialControl } from './dial.ts'
import { hasProxy, PLANNED_TIMEOUT, plannedAddresses } from './dial-plan.ts'
import { Http2Link } from './http2-link.ts'
import { networkError } from './network-error.ts'
import { checkPinnedKey, fetchServerKey } from './server-key.ts'
import { parseServerUrl, type ServerUrl } from './server-url.ts'
import { nodeZstd } from './zstd.ts'

/** Answering control's `HEAD` may take this long. */
const HEAD_TIMEOUT = 15_000

/** What {@link connectControl} needs. */
export interface ConnectControlOptions
  extends Omit<ControlClientOptions, 'allowHttp' | 'zstd' | 'random' | 'wallNow'> {
  /** The control server's address, http or https. */
  readonly serverUrl: string
  /** The machine's private key, 32 bytes; the same for as long as the machine lives. */
  readonly machineKey: Uint8Array
  /** The server's public key from an earlier contact. A server that shows another is refused. */
  readonly pinnedKey?: Uint8Array | undefined
  /** Called once the server proved its key at a first contact: keep it, and give it as `pinnedKey` next time. */
  readonly onServerKey?: (key: Uint8Array) => void
  /**
   * Keeps a new private node key beside the one there is, before control hears of it: give it as `nextNodeKey` next time,
   * until a `registered` event says which of the two counts. Where it rejects, the old one stays in use, and it is tried again later.
   */
  readonly keepNodeKey?: (nodeKey: Uint8Array) => Promise<void>
  /** Called for everything the owner must know. */
  readonly onEvent: (event: ControlEvent) => void
  /** Certificates to trust besides the system's, PEM. */
  readonly ca?: string | undefined
  /** Where randomness comes from; the system when left out. */
  readonly random?: RandomSource | undefined
  /** Real time when left out. */
  readonly clock?: Clock | undefined
  /** The primitives; Node's own when left out. */
  readonly crypto?: Crypto | undefined
}

/** A node's connection to its control server; it comes back by itself until it is closed or told to stop. */
export interface ControlConnection {
  /** The last map, if there was any. */
  readonly map: NetworkMap | undefined
  /** The node's private key in use. */
  readonly nodeKey: Uint8Array
  /** Whether it has come to an end: it was closed, or only a person can help. */
  readonly stopped: boolean
  /** Tells control what changed about the node: endpoints, home relay, host. Fields left out stay as they are. */
  report(report: Report): void
  /**
   * Asks control something small, and returns the JSON document that it answers. Rejects with a ControlError:
   * `ERR_CONTROL_LOST` when the node is not logged in and connected, else with what control said.
   */
  ask(question: ControlQuestion): Promise<unknown>
  /** Tries again now, if it is waiting: the network came back. */
  hurry(): void
  /** Connects anew at once: the network is another one, and a connection over the one before is dead without a word. */
  reconnect(): void
  /**
   * Ends the login at the server, then closes. Rejects with a ControlError when the server did not take note, and goes on
   * as if it had not been asked. Asked twice at once, it is done once, and both hear of it.
   */
  logout(): Promise<void>
  /** Closes; resolves when no socket is left. Closing twice is harmless. */
  close(): Promise<void>
}

/**
 * Connects a node to its control server, logs it in and follows its map. Everything that happens comes through
 * `onEvent`, never before this has returned.
 *
 * @throws TypeError when `serverUrl` is not a http or https address.
 */
export function connectControl(options: ConnectControlOptions): ControlConnection {
  const shell = new ControlShell(options)
  shell.start()
  return shell
}

class ControlShell implements ControlConnection {
  readonly #options: ConnectControlOptions
  readonly #server: ServerUrl
  readonly #clock: Clock
  readonly #random: RandomSource
  readonly #client: ControlClient
  readonly #driver
  /** By how much the wall clock was ahead of the monotonic one when the last connection was begun. */
  #wallAhead: number
  #pinnedKey: Uint8Array | undefined
  readonly #asked = new Map<number, Pick<PromiseWithResolvers<unknown>, 'resolve' | 'reject'>>()
  #attempt: AbortController | undefined
  #link: Http2Link | undefined
  #closing: Promise<void> | undefined
  #leaving: Promise<void> | undefined
  #onLoggedOut: ((error: ControlError | undefined) => void) | undefined

  constructor(options: ConnectControlOptions) {
    this.#options = options
    this.#server = parseServerUrl(options.serverUrl)
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
    this.#pinnedKey = options.pinnedKey
    this.#wallAhead = this.#aheadBy()
    this.#client = new ControlClient({
      ...options,
      allowHttp: !this.#server.secure,
      zstd: nodeZstd,
      random: this.#random,
      wallNow: () => this.#clock.now() + this.#wallAhead,
    })
    this.#driver = drive(this.#client, this.#clock, (output) => this.#perform(output))
  }

  get map(): NetworkMap | undefined {
    return this.#client.map
  }

  get nodeKey(): Uint8Array {
    return this.#client.nodeKey
  }

  get stopped(): boolean {
    return this.#client.stopped
  }

  start(): void {
    this.#client.start(this.#clock.now())
  }

  report(report: Report): void {
    this.#feed((now) => this.#client.report(report, now))
  }

  ask(question: ControlQuestion): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#feed((now) => {
        const id = this.#client.ask(question, now)
        if (id !== undefined) this.#asked.set(id, { resolve, reject })
        else reject(new ControlError('ERR_CONTROL_LOST', 'this node is not connected to its control server'))
      })
    })
  }

  hurry(): void {
    this.#feed((now) => this.#client.hurry(now))
  }

  reconnect(): void {
    if (this.#link !== undefined) {
      void this.#disconnect()
      const error = new ControlError('ERR_CONTROL_LOST', 'the network of this machine has changed')
      this.#feed((now) => this.#client.handleDisconnected(error, now))
    }
    this.hurry()
  }

  logout(): Promise<void> {
    this.#leaving ??= this.#logout().catch((error: unknown) => {
      this.#leaving = undefined
      throw error
    })
    return this.#leaving
  }

  async #logout(): Promise<void> {
    if (this.#client.stopped) throw new ControlError('ERR_CONTROL_CLOSED', 'the control client has stopped')
    const error = await new Promise<ControlError | undefined>((resolve) => {
      this.#onLoggedOut = resolve
      this.#feed((now) => this.#client.logout(now))
    })
    this.#onLoggedOut = undefined
    if (error !== undefined) throw error
    await this.close()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#client.close()
    this.#driver.close()
    const closed = new ControlError('ERR_CONTROL_CLOSED', 'the control client was closed')
    for (const { reject } of this.#asked.values()) reject(closed)
    this.#asked.clear()
    this.#onLoggedOut?.(new ControlError('ERR_CONTROL_CLOSED', 'the control client was closed'))
    await this.#disconnect()
  }

  #feed(input: (now: number) => void): void {
    input(this.#clock.now())
    this.#driver.wake()
  }

  #perform(output: ControlOutput): void {
    switch (output.kind) {
      case 'connect':
        void this.#connect()
        break
      case 'disconnect':
        void this.#disconnect()
        break
      case 'request':
        this.#link?.request(output.id, output.path, output.body, output.method)
        break
      case 'cancel':
        this.#link?.cancel(output.id)
        break
      case 'head':
        this.#head(output.url)
        break
      case 'keep':
        void this.#keep(output.nodeKey)
        break
      case 'answer': {
        const asker = this.#asked.get(output.id)
        this.#asked.delete(output.id)
        if (output.error) asker?.reject(output.error)
        else asker?.resolve(output.value)
        break
      }
      case 'event':
        if (output.event === 'logged-out') this.#onLoggedOut?.(output.error)
        this.#options.onEvent(output)
        break
    }
  }

  async #keep(nodeKey: Uint8Array): Promise<void> {
    try {
      await this.#options.keepNodeKey?.(nodeKey)
    } catch (cause) {
      const message = `the new key of this node cannot be kept: ${reasonOf(cause)}`
      const error = new ControlError('ERR_CONTROL_KEY_NOT_KEPT', message, { cause })
      return this.#feed((now) => this.#client.handleNotKept(error, now))
    }
    this.#feed((now) => this.#client.handleKept(nodeKey, now))
  }

  async #connect(): Promise<void> {
    this.#wallAhead = this.#aheadBy()
    const attempt = new AbortController()
    this.#attempt = attempt
    const link = await this.#dial(attempt.signal).catch((error: unknown) =>
      networkError(error, this.#server.text),
    )
    if (link instanceof ControlError) {
      if (!attempt.signal.aborted) this.#feed((now) => this.#client.handleConnectFailed(link, now))
    } else if (attempt.signal.aborted) {
      await link.close()
    } else {
      this.#link = link
      this.#feed((now) => this.#client.handleConnected(now))
    }
  }

  /**
   * Keys end by control's clock, which is known by its distance from ours at the snapshot. So ours must not be set in
   * between: while connected it goes on as it was.
   */
  #aheadBy(): number {
    return Date.now() - this.#clock.now()
  }

  /** By the addresses that the server told of itself, then by its name. */
  async #dial(signal: AbortSignal): Promise<Http2Link> {
    const planned = hasProxy(process.env) ? [] : plannedAddresses(this.#client.map?.dialPlan)
    for (const address of planned) {
      const attempt = new AbortController()
      const timer = setTimeout(() => attempt.abort(), PLANNED_TIMEOUT)
      try {
        return await this.#dialAt(AbortSignal.any([signal, attempt.signal]), address)
      } catch (error) {
        if (signal.aborted) throw error
      } finally {
        clearTimeout(timer)
      }
    }
    return this.#dialAt(signal)
  }

  async #dialAt(signal: AbortSignal, address?: string): Promise<Http2Link> {
    const { ca, machineKey, version = CAPABILITY_VERSION, crypto = nodeCrypto } = this.#options
    const dial = { server: this.#server, version, ca, address, signal }
    const serverKey = await fetchServerKey(dial)
    checkPinnedKey(serverKey, this.#pinnedKey, this.#server.text)
    const duplex = await dialControl({ ...dial, serverKey, machineKey, crypto, random: this.#random })
    if (this.#pinnedKey === undefined && !signal.aborted) {
      this.#pinnedKey = serverKey
      this.#options.onServerKey?.(serverKey)
    }
    const link: Http2Link = new Http2Link(this.#server.authority, duplex, {
      onResponse: (id, status) => this.#feed((now) => this.#client.handleResponse(id, status, now)),
      onData: (id, chunk) => this.#feed((now) => this.#client.handleData(id, chunk, now)),
      onEnd: (id, error) => this.#feed((now) => this.#client.handleEnd(id, error, now)),
      onClose: (error) => {
        if (this.#link !== link) return
        this.#link = undefined
        this.#feed((now) => this.#client.handleDisconnected(error, now))
      },
    })
    return link
  }

  async #disconnect(): Promise<void> {
    this.#attempt?.abort()
    const link = this.#link
    this.#link = undefined
    await link?.close()
  }

  /** The answer does not matter: that we came is the message. */
  #head(url: string): void {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest
    const { ca } = this.#options
    const signal = AbortSignal.timeout(HEAD_TIMEOUT)
    const request = send(url, { method: 'HEAD', agent: false, signal, ...(ca === undefined ? {} : { ca }) })
    request.on('error', () => undefined)
    request.on('response', (response) => response.resume())
    request.end()
  }
}
