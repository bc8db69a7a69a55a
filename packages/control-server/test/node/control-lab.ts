// A control server on loopback for one test, and machines at it. What it logs as an error and nobody took out fails the test.
import type { ClientHttp2Session } from 'node:http2'
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { startControl } from '../../src/contract/start-control.ts'
import type { ControlListener, ControlOptions } from '../../src/node/index.ts'
import { RawMachine } from './raw-client.ts'

/** One server at a time. */
export class ControlLab {
  readonly privateKey = generatePrivateKey(systemRandom)
  readonly warnings: string[] = []
  readonly errors: string[] = []
  readonly #sessions: ClientHttp2Session[] = []
  #control: ControlListener | undefined

  /** The server that runs. */
  get control(): ControlListener {
    if (!this.#control) throw new Error('no server runs')
    return this.#control
  }

  /** Starts the server; for `beforeEach`. */
  async begin(): Promise<void> {
    this.#control = await this.start()
  }

  /** Ends everything; for `afterEach`. */
  async end(): Promise<void> {
    for (const session of this.#sessions.splice(0)) session.destroy()
    await this.control.close()
    this.warnings.length = 0
    if (this.errors.length > 0) throw new Error(this.errors.splice(0).join('\n'))
  }

  /** Puts another server in its place. */
  async restart(change: Partial<ControlOptions> = {}): Promise<void> {
    await this.control.close()
    this.#control = await this.start(change)
  }

  /** Starts a server that the caller ends. */
  start(change: Partial<ControlOptions> = {}): Promise<ControlListener> {
    return startControl({
      privateKey: this.privateKey,
      logger: {
        info: () => undefined,
        warn: (_: object, message: string) => void this.warnings.push(message),
        error: (fields: object, message: string) => void this.errors.push(message + JSON.stringify(fields)),
      },
      ...change,
    })
  }

  /** Connects a machine. */
  async open(machine: RawMachine): Promise<ClientHttp2Session> {
    const session = await machine.connect(this.control.url)
    session.on('error', () => undefined)
    this.#sessions.push(session)
    return session
  }

  /** Returns a reusable key of the user `ann`. */
  async authKey(): Promise<string> {
    const users = await this.control.admin({ verb: 'users list' })
    if (users.length === 0)
      // Of several that ask at once one is first.
      await this.control.admin({ verb: 'users create', name: 'ann' }).catch(() => undefined)
    return (await this.control.admin({ verb: 'preauthkeys create', user: 'ann', reusable: true })).key
  }

  /** Returns a machine that is in the network. */
  async joined(): Promise<{ machine: RawMachine; session: ClientHttp2Session }> {
    const machine = new RawMachine()
    const session = await this.open(machine)
    const reply = await machine.register(session, { Auth: { AuthKey: await this.authKey() } })
    const answer = reply.body.toString()
    if (!answer.includes('"MachineAuthorized":true')) throw new Error(`the machine is not in: ${answer}`)
    return { machine, session }
  }
}
