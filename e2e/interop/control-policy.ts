// `pnpm interop control`, what a policy and an administrator decide of real nodes: who takes part, what owns them, where they
// are, and who logs in at them by SSH.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually, type Started } from '../netns/lab.ts'
import type { InteropCase } from './case.ts'
import { joinTailscaled, kernelPing, type MeshNode } from './nodes.ts'
import { type AdminControl, startControl, startRelay } from './servers.ts'
import { buildSite, type Place } from './site.ts'

const TAILSCALE = ['tailscaled', 'tailscale']
const EVERYBODY = [{ action: 'accept', src: ['*'], dst: ['*:*'] }]
/** An address that no node has yet. */
const CHOSEN = '100.64.77.7'

/** Takes connections. */
const LISTEN = `require('node:net').createServer().listen(7777, () => console.log('listening'))`
/** Opens a connection, or says why not: an answer that says no is not the same as none. */
const CONNECT = `
  const socket = require('node:net').connect(7777, process.argv[1])
  const end = (word) => { console.log(word); process.exit() }
  socket.on('connect', () => end('open'))
  socket.on('error', (error) => end(error.code))
  setTimeout(end, 3000, 'silence')`

/** The cases. */
export const controlPolicy: readonly InteropCase[] = [
  {
    name: 'nodes that wait for approval, take a tag they asked for, and get another address',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['a', 'tagged'])
      const [first, second] = places
      if (first === undefined || second === undefined) throw new RangeError('no places')
      const server = await trail('servers up', async () =>
        startControl(hub, await startRelay(hub), '--node-approval'),
      )
      await setPolicy(server, hub, { acls: EVERYBODY, tagOwners: { 'tag:web': ['alice@'] } })
      const a = await trail('in by a key, once approved', async () => {
        const joining = joinTailscaled(first, server, 'ts-a', peer)
        await eventually(
          'the node to wait',
          async () => (await stateAt(first, peer)) === 'NeedsMachineAuth' || undefined,
        )
        await server.admin('auth', 'approve', '--auth-id', 'ts-a')
        return joining
      })
      await trail('not with another tag', async () => {
        const refused = await inByPage(second, server, peer, 'tag:other').catch(String)
        if (typeof refused !== 'string') throw new Error('it has a tag that nobody owns')
      })
      const tagged = await trail('in by the page with its tag', () =>
        inByPage(second, server, peer, 'tag:web'),
      )
      await trail('pings', () => kernelPing(a, tagged))
      await trail('another address', async () => {
        await server.admin('nodes', 'set-address', CHOSEN, tagged.address)
        const moved = { ...tagged, address: CHOSEN }
        await eventually('the node to take it', async () => {
          const { stdout } = await tagged.cli('ip', '-4')
          return stdout.trim() === CHOSEN || undefined
        })
        await kernelPing(a, moved)
        await kernelPing(moved, a)
      })
    },
  },
  {
    name: 'a policy that lets one node open connections to the other, and not the other way',
    peers: TAILSCALE,
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['a', 'b'])
      const [first, second] = places
      if (first === undefined || second === undefined) throw new RangeError('no places')
      const server = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      const [a, b] = await trail('both Running', () =>
        Promise.all([
          joinTailscaled(first, server, 'ts-a', peer),
          joinTailscaled(second, server, 'ts-b', peer),
        ]),
      )
      await trail('both ways without a policy', async () => {
        for (const place of [first, second])
          await place.namespace.start(process.execPath, '-e', LISTEN).waitFor(/listening/)
        await kernelPing(a, b)
        await kernelPing(b, a)
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const)
          await eventually('a connection', async () => (await connects(from, to)) === 'open' || undefined)
      })
      await trail('one way with it: no ping and no SYN comes the other', async () => {
        await setPolicy(server, hub, {
          acls: [{ action: 'accept', src: [a.address], dst: [`${b.address}:*`] }],
        })
        await eventually('silence', async () => ((await pings(b, a)) ? undefined : true), 20_000)
        const outcome = await connects(b, a)
        if (outcome !== 'silence') throw new Error(`b to a: ${outcome}`)
        if (!(await pings(a, b)) || (await connects(a, b)) !== 'open')
          throw new Error('a does not reach b any more')
      })
    },
  },
  {
    name: 'tailscale ssh with a rule that wants each login confirmed',
    peers: TAILSCALE,
    programs: ['ssh'],
    run: async (lab, trail, peer) => {
      const { hub, nodes: places } = await buildSite(lab, ['client', 'server'])
      const [first, second] = places
      if (first === undefined || second === undefined) throw new RangeError('no places')
      const server = await trail('servers up', async () => startControl(hub, await startRelay(hub)))
      await setPolicy(server, hub, sshPolicy('10m'))
      const [client, host] = await trail('both Running', () =>
        Promise.all([
          joinTailscaled(first, server, 'ts-client', peer),
          joinTailscaled(second, server, 'ts-host', peer, { flags: ['--ssh'] }),
        ]),
      )
      await kernelPing(client, host)
      const login = (word: string): Started => sshTo(first, host, peer, word)
      await trail('confirmed, and in', async () => {
        const asked = login('one')
        await server.admin('ssh', 'approve', await checkOf(asked))
        await asked.waitFor(/in-one/, 20_000)
      })
      await trail('in again without a question', () => login('two').waitFor(/in-two/, 20_000))
      await trail('revoked while it lasts', async () => {
        const held = login('three; exec sleep 60')
        await held.waitFor(/in-three/, 20_000)
        await setPolicy(server, hub, { acls: EVERYBODY })
        await held.waitFor(/Access revoked/, 20_000)
        await held.stop()
      })
      await trail('refused', async () => {
        await setPolicy(server, hub, sshPolicy('always'))
        // The node asks anew as soon as it has the new policy.
        const asked = await eventually('a question', async () => {
          const attempt = login('four')
          const question = await checkOf(attempt).catch(() => undefined)
          return question === undefined ? undefined : { attempt, question }
        })
        await server.admin('auth', 'reject', '--auth-id', asked.question)
        await eventually('the end of the login', async () => asked.attempt.ended || undefined, 20_000)
        if (asked.attempt.output.includes('in-four')) throw new Error('in although it was refused')
      })
    },
  },
]

async function pings(from: MeshNode, to: MeshNode): Promise<boolean> {
  return from.place.namespace.run('ping', '-c', '1', '-W', '2', to.address).then(
    () => true,
    () => false,
  )
}

async function connects(from: MeshNode, to: MeshNode): Promise<string> {
  const { stdout } = await from.place.namespace.run(process.execPath, '-e', CONNECT, to.address)
  return stdout.trim()
}

function sshPolicy(checkPeriod: string): object {
  const rule = {
    action: 'check',
    src: ['autogroup:member'],
    dst: ['autogroup:self'],
    users: ['root'],
    checkPeriod,
  }
  return { acls: EVERYBODY, ssh: [rule] }
}

async function setPolicy(server: AdminControl, hub: Place, policy: object): Promise<void> {
  const file = join(hub.folder, 'policy.json')
  writeFileSync(file, JSON.stringify(policy))
  await server.admin('policy', 'set', '-f', file)
}

/** Logs a node in that asks for a tag, by its page. */
function inByPage(
  place: Place,
  server: AdminControl,
  peer: (program: string) => string,
  tag: string,
): Promise<MeshNode> {
  const approve = (page: string): Promise<unknown> =>
    server.admin('auth', 'register', '--auth-id', page.split('/').at(-1) ?? '', '--user', 'alice')
  return joinTailscaled(place, server, 'ts-tagged', peer, { approve, flags: [`--advertise-tags=${tag}`] })
}

/** Logs in at a node as root by `tailscale ssh`, which says a word there. */
function sshTo(from: Place, to: MeshNode, peer: (program: string) => string, word: string): Started {
  const socket = `--socket=${join(from.folder, 'ts.sock')}`
  return from.namespace.start(peer('tailscale'), socket, 'ssh', `root@${to.address}`, `echo in-${word}`)
}

/** Returns the last part of the page where a login is confirmed. */
async function checkOf(login: Started): Promise<string> {
  const [, key = ''] = await login.waitFor(/\/ssh\/([0-9a-f]{32})/, 15_000)
  return key
}

async function stateAt(place: Place, peer: (program: string) => string): Promise<string | undefined> {
  const socket = `--socket=${join(place.folder, 'ts.sock')}`
  const asked = place.namespace.run(peer('tailscale'), socket, 'status', '--json')
  const { stdout } = await asked.catch(() => ({ stdout: '{}' }))
  return (JSON.parse(stdout) as { BackendState?: string }).BackendState
}
