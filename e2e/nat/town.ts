// A town in namespaces: one internet, which is a bridge; servers on it; and homes, each a router of some kind with a
// host behind it. What a router's outside sees is counted by the kernel, so that nobody has to be believed.
import type { Lab, Namespace } from '../netns/lab.ts'
import { type NatKind, natRules } from './nat-rules.ts'

/** A host somewhere in the town. */
export interface Host {
  /** What it is called. */
  readonly name: string
  /** Where its programs run. */
  readonly inside: Namespace
  /** Where its packets reach the internet: its router, or the host itself. */
  readonly edge: Namespace
}

/** Where a home stands and how. */
export interface HomeSettings {
  /** Its name, unique in the town. */
  readonly name: string
  /** The router's address on the internet. */
  readonly outside: string
  /** The first three numbers of the network behind the router. */
  readonly network: string
  /** What the router does; nothing but filtering when `undefined`. */
  readonly kind: NatKind | undefined
  /** Prefixes that others have without translation, and the router to each. */
  readonly routes: readonly string[]
}

/** Datagrams of this many bytes and more, up to {@link WITNESSED_MAX}, are counted by length at each edge. */
export const WITNESSED_MIN = 900
/** See {@link WITNESSED_MIN}. */
export const WITNESSED_MAX = 1_100

const UDP_HEADER_LENGTH = 8

/** Makes the internet: everything else is plugged into it. */
export async function openTown(lab: Lab): Promise<Town> {
  const internet = await lab.namespace('internet')
  await shell(internet, 'ip link add internet type bridge', 'ip link set internet up')
  return new Town(lab, internet)
}

/** A town; see {@link openTown}. */
export class Town {
  readonly #lab: Lab
  readonly #internet: Namespace
  #plugs = 0

  /** @param internet - A namespace with a bridge of that name. */
  constructor(lab: Lab, internet: Namespace) {
    this.#lab = lab
    this.#internet = internet
  }

  /** Makes a host with public addresses. */
  async host(name: string, addresses: readonly string[], routes: readonly string[]): Promise<Host> {
    const inside = await this.#lab.namespace(name)
    await this.#plug(inside, addresses, routes)
    await witness(inside)
    return { name, inside, edge: inside }
  }

  /** Makes a router and one host behind it. */
  async home({ name, outside, network, kind, routes }: HomeSettings): Promise<Host> {
    const [edge, inside] = await Promise.all([
      this.#lab.namespace(`${name}-r`),
      this.#lab.namespace(`${name}-h`),
    ])
    await this.#plug(edge, [outside], routes)
    await shell(
      edge,
      'sysctl -qw net.ipv4.ip_forward=1',
      `ip link add lan type veth peer name eth0 netns ${inside.name}`,
      `ip address add ${network}.1/24 dev lan`,
      'ip link set lan up',
      `nft -f - <<'RULES'\n${natRules(kind, outside)}\nRULES`,
    )
    await shell(
      inside,
      `ip address add ${network}.11/24 dev eth0`,
      'ip link set eth0 up',
      `ip route add default via ${network}.1`,
    )
    await witness(edge)
    return { name, inside, edge }
  }

  async #plug(host: Namespace, addresses: readonly string[], routes: readonly string[]): Promise<void> {
    const socket = `plug${(this.#plugs += 1)}`
    await shell(
      this.#internet,
      `ip link add ${socket} type veth peer name wan netns ${host.name}`,
      `ip link set ${socket} master internet up`,
    )
    await shell(
      host,
      ...addresses.map((address) => `ip address add ${address}/24 dev wan`),
      'ip link set wan up',
      ...routes.map((route) => `ip route add ${route}`),
    )
  }
}

/** Returns how many UDP datagrams came in from the internet, by the length of what they carry. */
export async function witnessed(host: Host): Promise<ReadonlyMap<number, number>> {
  const { stdout } = await host.edge.run('nft', '-j', 'list', 'set', 'ip', 'witness', 'seen')
  const { nftables } = JSON.parse(stdout) as { nftables: { set?: { elem?: WitnessedElement[] } }[] }
  const elements = nftables.flatMap(({ set }) => set?.elem ?? [])
  return new Map(elements.map(({ elem }) => [elem.val - UDP_HEADER_LENGTH, elem.counter.packets]))
}

interface WitnessedElement {
  readonly elem: { readonly val: number; readonly counter: { readonly packets: number } }
}

async function witness(edge: Namespace): Promise<void> {
  const lengths = `${WITNESSED_MIN + UDP_HEADER_LENGTH}-${WITNESSED_MAX + UDP_HEADER_LENGTH}`
  await shell(
    edge,
    `nft -f - <<'RULES'
table ip witness {
  set seen { typeof udp length; size 1024; flags dynamic; counter; }
  chain inwards { type filter hook prerouting priority raw;
    iifname wan udp length ${lengths} update @seen { udp length }
  }
}
RULES`,
  )
}

/** Runs commands in one go: entering a namespace is what takes the time. */
async function shell(where: Namespace, ...commands: readonly string[]): Promise<void> {
  await where.run('sh', '-ec', commands.join('\n'))
}
