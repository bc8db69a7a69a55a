// What a person decides about the logins that wait: a node is let in, with what is chosen for it, or refused. Whoever waits
// for the login, at this server or another, hears of it by the records.

import type { Accounts } from './accounts.ts'
import type { NodeChoice } from './admin.ts'
import { ControlError, shown } from './errors.ts'
import type { Network } from './network.ts'
import type { Nodes } from './nodes.ts'
import type { LoginRecord, NodeRecord } from './records.ts'
import type { Registrar } from './registration.ts'

/** What decisions about logins work with. */
export interface LoginDecisionsOptions {
  /** The network that nodes are let into. */
  readonly network: Network
  /** The users they may belong to. */
  readonly accounts: Accounts
  /** Its nodes. */
  readonly nodes: Nodes
  /** Who makes a node of a login. */
  readonly registrar: Registrar
  /** Takes the node key of a node that was just let in, before anything is chosen for it. */
  readonly onRegistered: (nodeKey: string) => void
  /** Has whoever is concerned hear what changed. */
  readonly absorb: (now: number) => void
}

/** Finds logins that wait, and lets in or refuses. */
export class LoginDecisions {
  readonly #options: LoginDecisionsOptions

  constructor(options: LoginDecisionsOptions) {
    this.#options = options
  }

  /** Returns the login that waits under this key. */
  waiting(key: string): LoginRecord | undefined {
    const login = this.#options.network.login(key)
    return login?.refused ? undefined : login
  }

  /** Returns all logins that wait, the one that asked longest ago first. */
  all(): readonly LoginRecord[] {
    return [...this.#options.network.logins()].filter((login) => !login.refused)
  }

  /** Lets in a node that waits for a person, with what is chosen for it; its client hears at once. Throws {@link ControlError}. */
  approve(key: string, userName: string, now: number, choice: NodeChoice = {}): NodeRecord {
    const { accounts, absorb, network, nodes, registrar, onRegistered } = this.#options
    const user = accounts.userNamed(userName)
    const login = this.#known(key)
    const { machineKey, request } = login
    nodes.checkChoice(choice, machineKey)
    const response = registrar.approve(machineKey, request, user)
    network.state.remove('logins', login.id)
    onRegistered(request.NodeKey)
    const made = nodes.ofMachine(machineKey, request.NodeKey)
    if (made) nodes.choose(made.id, choice)
    absorb(now)
    const node = nodes.ofMachine(machineKey, request.NodeKey)
    if (node && response.MachineAuthorized) return node
    throw new ControlError(
      'ERR_CONTROL_REGISTRATION_UNKNOWN',
      response.Error || 'The machine has to log in again.',
    )
  }

  /** Says no to a login that waits; its client hears at once. Throws {@link ControlError} when none does. */
  refuse(key: string, now: number): LoginRecord {
    const login = { ...this.#known(key), refused: true }
    this.#options.network.state.put('logins', login)
    this.#options.absorb(now)
    return login
  }

  #known(key: string): LoginRecord {
    const login = this.waiting(key)
    if (login) return login
    const message = `No login waits under ${shown(key)}: it may have expired, start it again on the machine.`
    throw new ControlError('ERR_CONTROL_REGISTRATION_UNKNOWN', message)
  }
}
