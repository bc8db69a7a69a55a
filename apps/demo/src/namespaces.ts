// Network namespaces for the demo with real TUN devices: a hub, and a machine for each node, joined by a bridge in
// the hub. Nothing of the host's own network is touched, and there is no way out.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { run } from './child.ts'

/** Address of the hub, where the control server and the relay are. */
export const HUB_ADDRESS = '10.77.0.1'

/** Makes and removes the namespaces. Their names carry a number of this process, so that two demos do not meet. */
export class Namespaces {
  readonly #mark: string
  readonly #members: string[] = []

  constructor(mark: string = String(process.pid)) {
    this.#mark = mark
  }

  /** The namespace's name of `hub` or of a node. */
  nameOf(who: string): string {
    return `mesh-${this.#mark}-${who}`
  }

  /** Returns a command that runs another one in the namespace of `who`. */
  wrap(who: string, program: string, args: readonly string[]): readonly [string, readonly string[]] {
    return ['ip', ['netns', 'exec', this.nameOf(who), program, ...args]]
  }

  /** Makes the hub and a namespace for each node; node `i` gets 10.77.0.(i + 2). */
  async create(nodes: readonly string[]): Promise<void> {
    await this.#add('hub')
    const hub = this.nameOf('hub')
    await ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge')
    await ip('-n', hub, 'addr', 'add', `${HUB_ADDRESS}/24`, 'dev', 'bridge')
    await ip('-n', hub, 'link', 'set', 'bridge', 'up')
    for (const [index, node] of nodes.entries()) await this.#join(node, `10.77.0.${index + 2}`)
  }

  /** Makes programs in a node's namespace ask this name server; the file goes with {@link Namespaces.remove}. */
  useNameServer(node: string, server: string, search: string): void {
    const directory = `/etc/netns/${this.nameOf(node)}`
    mkdirSync(directory, { recursive: true })
    writeFileSync(`${directory}/resolv.conf`, `nameserver ${server}\nsearch ${search}\noptions timeout:2\n`)
  }

  /** Removes all of it. */
  async remove(): Promise<void> {
    for (const who of this.#members.splice(0)) {
      await run('ip', ['netns', 'delete', this.nameOf(who)])
      rmSync(`/etc/netns/${this.nameOf(who)}`, { recursive: true, force: true })
    }
  }

  /** Removes what a demo that was killed could not remove itself: its number is in the names. */
  async removeLeftOvers(): Promise<void> {
    const { stdout } = await run('ip', ['netns', 'list'])
    for (const match of stdout.matchAll(/^(mesh-(\d+)-[a-z]+)\b/gm)) {
      const [, name = '', pid = ''] = match
      if (existsSync(`/proc/${pid}`)) continue
      await run('ip', ['netns', 'delete', name])
      rmSync(`/etc/netns/${name}`, { recursive: true, force: true })
    }
  }

  async #join(node: string, address: string): Promise<void> {
    const hub = this.nameOf('hub')
    const inside = this.nameOf(node)
    await this.#add(node)
    await ip('-n', hub, 'link', 'add', `to-${node}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', inside)
    await ip('-n', hub, 'link', 'set', `to-${node}`, 'master', 'bridge', 'up')
    await ip('-n', inside, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    await ip('-n', inside, 'link', 'set', 'eth0', 'up')
  }

  async #add(who: string): Promise<void> {
    await ip('netns', 'add', this.nameOf(who))
    this.#members.push(who)
    await ip('-n', this.nameOf(who), 'link', 'set', 'lo', 'up')
  }
}

async function ip(...args: string[]): Promise<void> {
  const done = await run('ip', args)
  if (done.code !== 0) throw new Error(`ip ${args.join(' ')}: ${done.stderr.trim() || done.code}`)
}
