// The command line's side of the local API.
import { request } from 'node:http'
import type { NetcheckReport, PathReport, PingOptions, PingResult, Status } from '@mesh/net'
import type { Notify } from './backend.ts'
import { LOCAL_API_HOST } from './socket-path.ts'
import type { Prefs } from './prefs.ts'

/** A failure with one sentence for the user; the program ends with exit code 1. */
export class CommandError extends Error {}

/** The part of an answer to `whois` that is read here. */
export interface WhoIsAnswer {
  /** The machine. */
  readonly Node: {
    readonly Name: string
    readonly StableID: string
    readonly Addresses: readonly string[]
    readonly Tags?: readonly string[]
  }
  /** Its owner. */
  readonly UserProfile: { readonly ID: number; readonly LoginName: string }
}

/** Asks the daemon behind a socket. Every method throws {@link CommandError} when it does not answer or refuses. */
export class LocalClient {
  readonly #socketPath: string
  readonly #signal: AbortSignal | undefined

  /** What is asked is broken off by `signal`. */
  constructor(socketPath: string, signal?: AbortSignal) {
    this.#socketPath = socketPath
    this.#signal = signal
  }

  /** Returns the daemon's status, with the peers or without. */
  status(withPeers = true): Promise<Status> {
    return this.#json('GET', withPeers ? 'status' : 'status?peers=false')
  }

  /** Returns whose a mesh address is. */
  whois(address: string): Promise<WhoIsAnswer> {
    return this.#json('GET', `whois?addr=${encodeURIComponent(address)}`)
  }

  /** Returns the user's wishes. */
  prefs(): Promise<Prefs> {
    return this.#json('GET', 'prefs')
  }

  /** Changes wishes: a masked change. */
  async editPrefs(masked: object): Promise<void> {
    await this.#json('PATCH', 'prefs', masked)
  }

  /** Starts the node; the bus tells how it goes. */
  async start(options: { readonly AuthKey?: string; readonly UpdatePrefs?: Partial<Prefs> }): Promise<void> {
    await this.#text('POST', 'start', options)
  }

  /** Logs the node out. */
  async logout(): Promise<void> {
    await this.#text('POST', 'logout')
  }

  /** Asks a peer for an answer. */
  ping(ip: string, { type, over, size, timeoutMs }: Required<PingOptions>): Promise<PingResult> {
    const how = `type=${type}&over=${over}&size=${size}&timeout-ms=${timeoutMs}`
    return this.#json('POST', `ping?ip=${encodeURIComponent(ip)}&${how}`)
  }

  /** Returns why the path to a peer is as it is. */
  explain(target: string): Promise<PathReport> {
    return this.#json('GET', `explain?ip=${encodeURIComponent(target)}`)
  }

  /** Returns a token by which this machine shows an audience who it is. */
  async idToken(audience: string): Promise<string> {
    const answer = await this.#json<{ id_token: string }>(
      'GET',
      `id-token?aud=${encodeURIComponent(audience)}`,
    )
    return answer.id_token
  }

  /** Sets attributes of this device at control; `null` takes one away. */
  async setAttributes(update: Readonly<Record<string, string | number | boolean | null>>): Promise<void> {
    await this.#json('PATCH', 'alpha-set-device-attrs', update)
  }

  /** Has the node look at the network it sits in, and returns what it found out. */
  netcheck(): Promise<NetcheckReport> {
    return this.#json('GET', 'netcheck')
  }

  /** Calls `onNotify` for each message of the bus until it returns true, or `signal` ends the wait. */
  watch(onNotify: (notify: Notify) => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const call = request(this.#options('GET', 'watch-ipn-bus'), (response) => {
        let rest = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          const lines = (rest + part).split('\n')
          rest = lines.pop() ?? ''
          if (!lines.some((line) => line !== '' && onNotify(JSON.parse(line) as Notify))) return
          call.destroy()
          resolve()
        })
        response.on('end', () => reject(new CommandError('meshd ended while this waited for it.')))
        response.on('error', () => reject(new CommandError('meshd ended while this waited for it.')))
      })
      const abort = (): void => {
        call.destroy()
        reject(signal?.reason as Error)
      }
      if (signal?.aborted) return abort()
      signal?.addEventListener('abort', abort)
      call.on('error', (error: NodeJS.ErrnoException) => reject(this.#explain(error)))
      call.end()
    })
  }

  async #json<T>(method: string, path: string, body?: object): Promise<T> {
    return JSON.parse(await this.#text(method, path, body)) as T
  }

  #text(method: string, path: string, body?: object): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = request(this.#options(method, path), (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
        })
        response.on('error', (error: NodeJS.ErrnoException) => reject(this.#explain(error)))
        response.on('end', () => {
          if ((response.statusCode ?? 500) < 300) resolve(text)
          else reject(new CommandError(text.trim() || `meshd answered with status ${response.statusCode}.`))
        })
      })
      call.on('error', (error: NodeJS.ErrnoException) => reject(this.#explain(error)))
      call.end(body ? JSON.stringify(body) : undefined)
    })
  }

  #options(method: string, path: string): object {
    return {
      socketPath: this.#socketPath,
      method,
      path: `/localapi/v0/${path}`,
      headers: { Host: LOCAL_API_HOST },
      agent: false,
      ...(this.#signal ? { signal: this.#signal } : {}),
    }
  }

  #explain(error: NodeJS.ErrnoException): CommandError {
    if (error.code === 'EACCES' || error.code === 'EPERM') {
      return new CommandError(
        `You may not use ${this.#socketPath}: run this as the user that runs meshd (or with sudo).`,
      )
    }
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
      return new CommandError(
        `meshd is not running (nobody answers on ${this.#socketPath}): start it, or name its --socket.`,
      )
    }
    return new CommandError(`meshd broke off the answer (${error.code ?? error.message}).`)
  }
}
