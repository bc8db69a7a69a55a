// `nodes`: the machines of the mesh.

import type { NodeJson } from '@mesh/control-server/node'
import { type Command, InvalidArgumentError } from 'commander'
import { approve, letsIn, register, type RegisterFlags } from './auth-verbs.ts'
import { CommandError } from './command-error.ts'
import { printable, show } from './output.ts'
import { nodesTable, routesTable } from './tables.ts'
import { admin, type AdminFlags, ask, inquire, named, parts } from './verbs.ts'

interface NodeFlags extends AdminFlags {
  readonly identifier?: string
}

interface ExpireFlags extends NodeFlags {
  readonly expiry?: number
  readonly disable?: boolean
}

/** What clients of 2026 answer; others say that they do not know it. */
const CALLS = `
What Tailscale's clients answer, among others:
  /echo                     the same again
  /debug/health             what the client warns of
  /debug/prefs              its settings
  /debug/netmap             its map
  /debug/metrics            its counters
  /debug/goroutines         what it is doing
  /tls-cert-status?domain=  its certificate for a name
  /vip-services             the services it serves
  -X POST /logtail/flush, -X POST /netfilter-kind?kind=nftables`
/** Adds the verbs of `nodes`. */
export function addNodes(nodes: Command): void {
  admin(nodes.command('list').aliases(['ls', 'show']), "Show all nodes, or a user's.")
    .option('-u, --user <name>', 'only those of this user, by name or number')
    .action(async (flags: AdminFlags & { user?: string }) => {
      const { user } = flags
      const list = await ask(flags, { verb: 'nodes list', ...(user === undefined ? {} : { user }) })
      await show(flags, list, nodesTable(list))
    })
  letsIn(admin(nodes.command('register'), 'As auth register.'))
    .requiredOption('-k, --key <id>', "the last part of the login page's address")
    .action(async (flags: RegisterFlags & { key: string }) => register(flags, flags.key))
  aboutNode(nodes.command('approve [node]'), 'Let a node take part that waits for it.').action(
    async (node: string | undefined, flags: NodeFlags) =>
      approve(flags, named(node ?? flags.identifier, 'node')),
  )
  aboutNode(
    nodes.command('expire [node]').aliases(['logout', 'exp', 'e']),
    'Log a node out: it must log in again.',
  )
    .option('-e, --expiry <time>', 'when, as 2027-01-31T12:00:00Z, instead of now', moment)
    .option('-d, --disable', 'lift the expiry: the node stays logged in for ever')
    .action(async (node: string | undefined, flags: ExpireFlags) => {
      const at = flags.disable ? 'never' : flags.expiry
      const expired = await ask(flags, {
        verb: 'nodes expire',
        node: named(node ?? flags.identifier, 'node'),
        ...(at === undefined ? {} : { at }),
      })
      await show(flags, expired, expirySentence(expired))
    })
  aboutNode(nodes.command('rename <new-name> [node]'), 'Give a node another name.').action(
    async (name: string, node: string | undefined, flags: NodeFlags) => {
      const which = named(node ?? flags.identifier, 'node')
      const renamed = await ask(flags, { verb: 'nodes rename', node: which, name })
      await show(flags, renamed, `Node ${renamed.id} is ${renamed.dnsName} now.`)
    },
  )
  aboutNode(nodes.command('set-address <address> [node]'), 'Give a node another address.').action(
    async (address: string, node: string | undefined, flags: NodeFlags) => {
      const which = named(node ?? flags.identifier, 'node')
      const moved = await ask(flags, { verb: 'nodes set-address', node: which, address })
      await show(flags, moved, `Node ${moved.givenName} has ${moved.ipAddresses.join(' and ')} now.`)
    },
  )
  aboutNode(nodes.command('tag [node]').aliases(['tags', 't']), 'Have tags own a node, in place of its user.')
    .requiredOption('-t, --tags <list>', 'the tags, as tag:a,tag:b', parts)
    .action(async (node: string | undefined, flags: NodeFlags & { tags: readonly string[] }) => {
      const which = named(node ?? flags.identifier, 'node')
      const tagged = await ask(flags, { verb: 'nodes tag', node: which, tags: flags.tags })
      await show(flags, tagged, `Node ${tagged.givenName} has ${tagged.tags.join(', ')}.`)
    })
  aboutNode(nodes.command('ping [node]'), 'Ask a node whether it is there.')
    .option('--c2n', 'ask its client by a request inside Noise, instead of having it fetch an address')
    .action(async (node: string | undefined, flags: NodeFlags & { c2n?: boolean }) => {
      const which = named(node ?? flags.identifier, 'node')
      const kind = flags.c2n ? 'c2n' : 'head'
      const { roundTrip } = await inquire(flags, { verb: 'nodes ping', node: which, kind })
      if (roundTrip === null) throw new CommandError(`Node ${which} did not answer in time.`)
      await show(flags, { roundTrip }, `Node ${which} answered after ${Math.round(roundTrip)} ms.`)
    })
  admin(nodes.command('c2n <node> <path>'), "Have a node's client do a request of its own handlers.")
    .option('-X, --method <method>', 'GET, POST, …', 'GET')
    .option('-d, --data <text>', 'what to send')
    .addHelpText('after', CALLS)
    .action(async (node: string, path: string, flags: AdminFlags & { method: string; data?: string }) => {
      const { method, data } = flags
      const body = data === undefined ? {} : { body: data }
      const answered = await inquire(flags, { verb: 'nodes c2n', node, path, method, ...body })
      if (answered === null) throw new CommandError(`Node ${node} did not answer in time.`)
      await show(flags, answered, terminalText(answered.body))
      if (answered.status >= 400)
        throw new CommandError(`Node ${node} answered with status ${answered.status}.`)
    })
  aboutNode(
    nodes.command('list-routes [node]').aliases(['lsr', 'routes']),
    'Show who offers which routes.',
  ).action(async (node: string | undefined, flags: NodeFlags) => {
    const which = node ?? flags.identifier
    const list =
      which === undefined
        ? (await ask(flags, { verb: 'nodes list' })).filter(hasRoutes)
        : [await ask(flags, { verb: 'nodes get', node: which })]
    await show(flags, list, routesTable(list))
  })
  aboutNode(
    nodes.command('approve-routes [node]'),
    'Set which routes a node may serve, in place of those before.',
  )
    .requiredOption('-r, --routes <list>', "as 10.0.0.0/8,0.0.0.0/0; '' for none", parts)
    .action(async (node: string | undefined, flags: NodeFlags & { routes: readonly string[] }) => {
      const which = named(node ?? flags.identifier, 'node')
      const { routes } = flags
      const changed = await ask(flags, { verb: 'nodes approve-routes', node: which, routes })
      await show(flags, changed, routesSentence(changed))
    })
  admin(
    nodes.command('backfillips'),
    'Give every node the addresses it lacks: none does, for both are given at once.',
  ).action(async (flags: AdminFlags) => {
    const done = await ask(flags, { verb: 'nodes backfillips' })
    await show(flags, done, 'Every node has its addresses.')
  })
  aboutNode(nodes.command('delete [node]').aliases(['del', 'rm']), 'Remove a node for good.').action(
    async (node: string | undefined, flags: NodeFlags) => {
      const which = named(node ?? flags.identifier, 'node')
      const deleted = await ask(flags, { verb: 'nodes delete', node: which })
      // What Headscale's says, for those who look for it.
      const done = { ...deleted, Result: 'Node deleted' }
      await show(flags, done, `Node ${deleted.givenName} is removed.`)
    },
  )
}

function aboutNode(command: Command, description: string): Command {
  return admin(command, description).option('-i, --identifier <node>', "the node's number, name or address")
}

function expirySentence({ givenName: name, expired, expiry }: NodeJson): string {
  if (expired) return `Node ${name} is logged out.`
  return expiry === null ? `Node ${name} stays logged in.` : `Node ${name} is logged out at ${expiry}.`
}

function hasRoutes({ availableRoutes, approvedRoutes }: NodeJson): boolean {
  return availableRoutes.length > 0 || approvedRoutes.length > 0
}

function routesSentence({ givenName: name, approvedRoutes: routes }: NodeJson): string {
  return routes.length > 0
    ? `Node ${name} may serve ${routes.join(', ')}.`
    : `Node ${name} may serve no routes.`
}

function moment(text: string): number {
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (time > 0) return time
  throw new InvalidArgumentError('Write it as 2027-01-31T12:00:00Z.')
}

/** A client's words, line by line: nothing in them steers a terminal. */
function terminalText(text: string): string {
  return text.trimEnd().split('\n').map(printable).join('\n')
}
