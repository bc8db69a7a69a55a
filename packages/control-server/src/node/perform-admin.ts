// Doing an administrator's command.

import type { NodeStatus } from '../admin.ts'
import type { Actor } from '../audit.ts'
import type { Coordinator } from '../coordinator.ts'
import { ControlError, shown } from '../errors.ts'
import {
  type AdminResult,
  apiKeyJson,
  loginJson,
  madeApiKeyJson,
  madePreAuthKeyJson,
  nodeJson,
  type NodeJson,
  policyJson,
  preAuthKeyJson,
  reservationJson,
  sshCheckJson,
  type SshCheckJson,
  userJson,
} from './admin-answers.ts'
import type { AdminCommand } from './admin-command.ts'

/** Why a login at a page is not let in by a word alone. */
const NO_OWNER = 'A machine that waits at its login page needs an owner: register it for a user.'

/** Does a command of somebody. Throws {@link ControlError} when it is refused. */
export function performAdmin<C extends AdminCommand>(
  coordinator: Coordinator,
  command: C,
  actor: Actor,
  now: number,
): AdminResult<C> {
  coordinator.actAs(actor)
  return perform(coordinator, command, now) as AdminResult<C>
}

function perform(coordinator: Coordinator, command: AdminCommand, now: number): AdminResult {
  switch (command.verb) {
    case 'users create':
      return userJson(coordinator.accounts.createUser(command))
    case 'users list':
      return coordinator.accounts.users(command).map(userJson)
    case 'users rename':
      return userJson(coordinator.accounts.renameUser(command.user, command, now))
    case 'users delete':
      return userJson(coordinator.accounts.deleteUser(command.user))
    case 'preauthkeys create':
      return madePreAuthKeyJson(coordinator, coordinator.accounts.createPreAuthKey(command))
    case 'preauthkeys list':
      return coordinator.accounts.preAuthKeys().map((key) => preAuthKeyJson(coordinator, key))
    case 'preauthkeys expire':
      return preAuthKeyJson(coordinator, coordinator.accounts.expirePreAuthKey(command.which))
    case 'preauthkeys delete':
      return preAuthKeyJson(coordinator, coordinator.accounts.deletePreAuthKey(command.which))
    case 'apikeys create':
      return madeApiKeyJson(coordinator.apiKeys.create(command.lifetime))
    case 'apikeys list':
      return coordinator.apiKeys.all().map(apiKeyJson)
    case 'apikeys expire':
      return apiKeyJson(coordinator.apiKeys.expire(command.which))
    case 'apikeys delete':
      return apiKeyJson(coordinator.apiKeys.delete(command.which))
    case 'health':
      // Whoever reads this stands in a transaction, which the database let begin.
      return { databaseConnectivity: true }
    case 'nodes list':
      return nodesOf(coordinator, command.user).map((node) => nodeJson(coordinator, node))
    case 'nodes get':
      return nodeJson(coordinator, nodeNamed(coordinator, command.node))
    case 'nodes backfillips':
      return { changes: [] }
    case 'nodes register': {
      const { id } = coordinator.logins.approve(command.key, command.user, now, command)
      return nodeJson(coordinator, coordinator.nodes.status(id))
    }
    case 'auth approve':
      if (coordinator.sshChecks.waiting(command.key)) return decideSsh(coordinator, command.key, true, now)
      if (coordinator.logins.waiting(command.key)) throw new ControlError('ERR_CONTROL_KEY_OPTIONS', NO_OWNER)
      return change(coordinator, command.key, (id) => coordinator.nodes.approve(id, now))
    case 'auth reject':
      if (coordinator.sshChecks.waiting(command.key)) return decideSsh(coordinator, command.key, false, now)
      return loginJson(coordinator.logins.refuse(command.key, now))
    case 'nodes approve':
      return change(coordinator, command.node, (id) => coordinator.nodes.approve(id, now))
    case 'logins list':
      return coordinator.logins.all().map(loginJson)
    case 'logins refuse':
      return loginJson(coordinator.logins.refuse(command.key, now))
    case 'nodes expire':
      return change(coordinator, command.node, (id) => coordinator.nodes.expire(id, now, command.at))
    case 'nodes rename':
      return change(coordinator, command.node, (id) => coordinator.nodes.rename(id, command.name, now))
    case 'nodes set-address':
      return change(coordinator, command.node, (id) => coordinator.nodes.readdress(id, command.address, now))
    case 'nodes tag':
      return change(coordinator, command.node, (id) => coordinator.nodes.tag(id, command.tags, now))
    case 'nodes approve-routes':
      return change(coordinator, command.node, (id) =>
        coordinator.nodes.approveRoutes(id, command.routes, now),
      )
    case 'addresses list':
      return coordinator.reservations.all().map(reservationJson)
    case 'addresses reserve':
      return reservationJson(coordinator.reservations.add(command.holder, command.address))
    case 'addresses release':
      return reservationJson(coordinator.reservations.remove(command.which))
    case 'ssh approve':
      return decideSsh(coordinator, command.key, true, now)
    case 'ssh reject':
      return decideSsh(coordinator, command.key, false, now)
    case 'policy get':
      return policyJson(coordinator.policies.written())
    case 'policy check':
      coordinator.policies.check(command.policy)
      return policyJson(coordinator.policies.written())
    case 'policy set':
      return policyJson(coordinator.policies.set(command.policy, now))
    case 'backup':
      return { backup: coordinator.backup() }
    case 'restore':
      coordinator.restore(command.backup, now)
      return { users: coordinator.accounts.users().length, nodes: coordinator.nodes.all().length }
    case 'nodes delete': {
      const found = nodeNamed(coordinator, command.node)
      coordinator.nodes.delete(found.node.id, now)
      return nodeJson(coordinator, found)
    }
  }
}

function change(coordinator: Coordinator, which: string, work: (id: number) => void): NodeJson {
  const { node } = nodeNamed(coordinator, which)
  work(node.id)
  return nodeJson(coordinator, coordinator.nodes.status(node.id))
}

/** Returns the nodes of a user; all when none is named. */
function nodesOf(coordinator: Coordinator, user: string | undefined): readonly NodeStatus[] {
  const all = coordinator.nodes.all()
  if (user === undefined) return all
  const owner = coordinator.accounts.userNamed(user)
  return all.filter(({ node }) => node.user === owner.id)
}

function decideSsh(coordinator: Coordinator, key: string, isAllowed: boolean, now: number): SshCheckJson {
  return sshCheckJson(coordinator, coordinator.decideSsh(key, isAllowed, now))
}

/** Returns the node of this number, name or address. Throws {@link ControlError} when there is none. */
export function nodeNamed(coordinator: Coordinator, which: string): NodeStatus {
  const found = coordinator.nodes.all().find(({ node, dnsName }) => {
    return [String(node.id), node.givenName, dnsName, node.ipv4, node.ipv6].includes(which)
  })
  if (!found) throw new ControlError('ERR_CONTROL_NODE_UNKNOWN', `There is no node ${shown(which)}.`)
  return found
}
