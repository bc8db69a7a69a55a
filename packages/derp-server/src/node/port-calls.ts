// Calling functions of another thread: a question with a number, an answer with the same number.
import type { Transferable } from 'node:worker_threads'

/** Either end of a pair of ports: a `MessagePort`, a `Worker`, a worker's `parentPort`. */
export interface Port {
  postMessage(value: unknown, transfer?: readonly Transferable[]): void
  on(event: 'message', listener: (value: unknown) => void): unknown
}

/** Functions by name, of one structured-clone argument each. */
export type Callable<T> = { readonly [K in keyof T]: (argument: never) => unknown }

type Message =
  | { kind: 'call'; id: number; name: string; argument: unknown }
  | { kind: 'done'; id: number; value: unknown }
  | { kind: 'failed'; id: number; error: unknown }

interface Waiting {
  resolve(value: never): void
  reject(error: unknown): void
}

/** This thread's end: calls what the other end offers, and answers for what is offered here. */
export class PortCalls<Theirs extends Callable<Theirs>> {
  readonly #port: Port
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0
  #ended: Error | undefined

  constructor(port: Port, ours: Callable<object>) {
    this.#port = port
    port.on('message', (value) => this.#handle(value as Message, ours))
  }

  /** Calls a function at the other end. Rejects with what it throws, or when the other end is gone. */
  call<K extends keyof Theirs & string>(
    name: K,
    argument: Parameters<Theirs[K]>[0],
    transfer: readonly Transferable[] = [],
  ): Promise<Awaited<ReturnType<Theirs[K]>>> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    this.#lastId += 1
    const id = this.#lastId
    this.#port.postMessage({ kind: 'call', id, name, argument } satisfies Message, transfer)
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  /** Gives up on the other end: everything that waits for it, and every later call, is rejected. */
  end(error: Error): void {
    this.#ended = error
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }

  #handle(message: Message, ours: Callable<object>): void {
    if (message.kind === 'call') return void this.#answer(message, ours)
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.kind === 'done') waiting?.resolve(message.value as never)
    else waiting?.reject(message.error)
  }

  async #answer(
    { id, name, argument }: Extract<Message, { kind: 'call' }>,
    ours: Callable<object>,
  ): Promise<void> {
    let message: Message
    try {
      const run = Reflect.get(ours, name) as (argument: unknown) => unknown
      message = { kind: 'done', id, value: await run(argument) }
    } catch (error) {
      message = { kind: 'failed', id, error }
    }
    if (this.#ended === undefined) this.#port.postMessage(message)
  }
}
